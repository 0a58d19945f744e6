// SPDX-License-Identifier: Apache-2.0
//
// thrower [ROUNDS] [READY-FILE]: throws a C++ exception out of cuLaunchKernel,
// through cudaLaunchKernel, and catches it, after READY-FILE exists. A return
// probe on either function makes the unwinder end the program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "fakecuda.h"
extern "C" {
#include "kernels.h"
}

static void throw_out(void *) { throw 42; }

int main(int argc, char **argv)
{
	const long rounds = argc > 1 ? std::atol(argv[1]) : 1000;
	long caught = 0;
	while (argc > 2 && access(argv[2], F_OK) != 0)
		usleep(2000);
	for (long i = 0; i < rounds; i++) {
		fakecuda_set_inside("cuLaunchKernel", throw_out, nullptr);
		try {
			cudaLaunchKernel(kernels[0].stub, dim3{1, 1, 1}, dim3{1, 1, 1}, nullptr, 0, nullptr);
		} catch (int) {
			caught++;
		}
	}
	std::printf("caught %ld of %ld\n", caught, rounds);
	return caught == rounds ? 0 : 1;
}
