// SPDX-License-Identifier: Apache-2.0
//
// bench-calls FUNCTION N [key=value ...] [lib=PATH] [threads=T]
//
// Calls one function N times on each of T threads and prints nanoseconds per
// call. Without lib=, the function and its arguments are those of a script's
// call; with it, any `int f(void)` of that library.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calls.h"
#include "objects.h"

static void *address;
static uint64_t times;
static char **words;
static const struct call_row *row;

static uint64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *run(void *result)
{
	struct call call = {.row = row};
	const char *wrong = row == NULL ? NULL : call_prepare(&call, words, 0);
	if (wrong != NULL) {
		fprintf(stderr, "bench-calls: %s\n", wrong);
		exit(2);
	}
	call_invoke(address, &call); /* loads what the first call loads */
	uint64_t start = now();
	for (uint64_t i = 0; i < times; i++)
		call_invoke(address, &call);
	*(uint64_t *)result = now() - start;
	return NULL;
}

static const char *word(const char *key, const char *otherwise)
{
	for (char **w = words; *w != NULL; w++)
		if (strncmp(*w, key, strlen(key)) == 0)
			return *w + strlen(key);
	return otherwise;
}

/* What shapes refer to when the words do not say it: event=event. */
static void defaults(void)
{
	cudaEvent_t event;
	if (cudaEventCreate(&event) == cudaSuccess && cudaEventRecord(event, NULL) == cudaSuccess)
		object_set("event", (uint64_t)(uintptr_t)event);
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	uint64_t took[64], total = 0;
	if (argc < 3 || call_number(argv[2], &times) != 0 || times == 0) {
		fprintf(stderr, "usage: bench-calls FUNCTION N [key=value ...] [lib=PATH] [threads=T]\n");
		return 2;
	}
	words = argv + 3;
	const char *library = word("lib=", NULL);
	int count = atoi(word("threads=", "1")), index = call_row(argv[1]);
	if (library != NULL) {
		void *handle = dlopen(library, RTLD_NOW);
		address = handle == NULL ? NULL : dlsym(handle, argv[1]);
	} else if (index >= 0) {
		row = &call_rows[index];
		address = row->address;
		defaults();
	}
	if (address == NULL || count < 1 || count > 64) {
		fprintf(stderr, "bench-calls: no function %s\n", argv[1]);
		return 2;
	}
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, run, &took[i]) != 0)
			return 1;
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		total += took[i];
	}
	printf("%s %.1f ns/call\n", argv[1], (double)total / (double)count / (double)times);
	return 0;
}
