/* SPDX-License-Identifier: Apache-2.0
 *
 * How the runtime's functions are written: each does its work through the
 * exported functions of libcuda, so that a runtime call contains driver calls
 * as in the real library. FORWARD defines a function, FORWARD_PAIR also its
 * per-thread twin. The last arguments
 * are expressions of type CUresult, one per function.
 */
#ifndef FAKECUDA_RUNTIME_H
#define FAKECUDA_RUNTIME_H

#include "entry.h"

#define ROW(name, kind) DECLARE_IMPL(name)
#include "runtime.def"
#undef ROW

enum rt_row {
#define ROW(name, kind) row_##name,
#include "runtime.def"
#undef ROW
	rt_rows
};

/* One per thread that called the runtime; freed when the thread ends. */
struct rt_thread {
	unsigned long long calls[rt_rows];
	cudaError_t last_error;
	int device;
};

extern __thread struct rt_thread *rt_thread_self
	__attribute__((visibility("hidden"), tls_model("initial-exec")));
struct rt_thread *rt_thread_new(void) __attribute__((visibility("hidden")));

static inline struct rt_thread *rt_self(void)
{
	struct rt_thread *self = rt_thread_self;
	return __builtin_expect(self != NULL, 1) ? self : rt_thread_new();
}

/* rt_done remembers an error for cudaGetLastError; not-ready is none. */
static inline cudaError_t rt_done(CUresult result)
{
	if (__builtin_expect(result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY, 0))
		rt_self()->last_error = (cudaError_t)result;
	return (cudaError_t)result;
}

#define FORWARD_AS(name, params, ...)            \
	cudaError_t IMPL(name) params            \
	{                                        \
		rt_self()->calls[row_##name]++;  \
		return rt_done(__VA_ARGS__);     \
	}
#define FORWARD(name, params, ...) FORWARD_AS(name, params, __VA_ARGS__)
#define FORWARD_PAIR(name, suffix, params, first, second) \
	FORWARD_AS(name, params, first)                   \
	FORWARD_AS(name##suffix, params, second)

/* A launched function: rt_function loads it at its first use. */
struct CUkern_st;
struct CUkern_st *rt_registered(const void *host) __attribute__((visibility("hidden")));
CUresult rt_function(struct CUkern_st *kernel, CUfunction *f) __attribute__((visibility("hidden")));
/* rt_loading_forked frees the loader's lock in a forked child. */
void rt_loading_forked(void) __attribute__((visibility("hidden")));

#endif
