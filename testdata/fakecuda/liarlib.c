// SPDX-License-Identifier: Apache-2.0
//
// A library with the SONAME and the symbols of libcudart that is not it: every
// function takes anything and returns a result that no CUDA function returns.
#define LIE(name)                                      \
	__attribute__((visibility("default"))) long name(long a, long b, long c); \
	long name(long a, long b, long c)              \
	{                                              \
		__asm__ volatile("" : : "r"(a), "r"(b), "r"(c)); \
		return -0x7ead0000000000aeL ^ a;       \
	}
#include "liar.def"
