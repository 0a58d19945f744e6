// SPDX-License-Identifier: Apache-2.0
//
// bench-switches N: two processes on CPU 0 hand a byte to and fro over pipes N
// times; prints nanoseconds per context switch. Neither uses CUDA.
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pass(int from, int to)
{
	char byte = 0;
	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		exit(2);
}

int main(int argc, char **argv)
{
	long times = argc > 1 ? atol(argv[1]) : 100000;
	int there[2], back[2];
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0 || pipe(there) != 0 || pipe(back) != 0) {
		perror("bench-switches");
		return 2;
	}
	pid_t child = fork();
	if (child == 0) {
		for (long i = 0; i < times; i++)
			pass(there[0], back[1]);
		_exit(0);
	}
	char byte = 0;
	uint64_t start = now();
	for (long i = 0; i < times; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			return 2;
	uint64_t end = now();
	waitpid(child, NULL, 0);
	printf("%.1f ns/switch\n", (double)(end - start) / (2.0 * (double)times));
	return 0;
}
