// SPDX-License-Identifier: Apache-2.0
//
// liar [LIBRARY] [ROUNDS] [READY-FILE]: calls every function of a lying library
// with hostile arguments, after READY-FILE exists. Prints the number of calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[] = {
#define LIE(name) #name,
#include "liar.def"
};

typedef long call(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
		  uint64_t, uint64_t);

int main(int argc, char **argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	path[n < 0 ? 0 : n] = '\0';
	strcpy(strrchr(path, '/') + 1, "lying/libcudart.so.12");
	void *library = dlopen(argc > 1 ? argv[1] : path, RTLD_NOW);
	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	while (argc > 3 && access(argv[3], F_OK) != 0)
		usleep(2000);

	/* The last bytes of a mapped page, with nothing after it; text without an end. */
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || munmap(pages + 4096, 4096) != 0)
		return 1;
	memset(pages, 0xff, 4096);
	const uint64_t hostile[] = {
		0, 1, 0xdeadbeef, UINT64_MAX, UINT64_MAX - 7, 1ULL << 63, INT64_MAX, 0x0000800000000000, 0xffff888000000000,
		0xffffffff81000000, (uintptr_t)pages, (uintptr_t)pages + 4093, (uintptr_t)pages + 4096, (uintptr_t)names,
	};
	const size_t values = sizeof hostile / sizeof hostile[0];
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 1, calls = 0;
	for (unsigned long round = 0; round < rounds; round++)
		for (size_t f = 0; f < sizeof names / sizeof names[0]; f++) {
			call *function = (call *)dlsym(library, names[f]);
			for (size_t i = 0; i < values * values && function != NULL; i++, calls++) {
				uint64_t a = hostile[i % values], b = hostile[i / values];
				function(a, b, a, b, a, b, a, b, a, b, a, b);
			}
		}
	printf("%lu calls\n", calls);
	return 0;
}
