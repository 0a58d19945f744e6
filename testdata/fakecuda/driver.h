/* SPDX-License-Identifier: Apache-2.0
 *
 * How the driver's functions are written: DRV defines an exported function,
 * DRV_PAIR a function and its per-thread-default-stream twin. The body sees
 * `per_thread`, which says how stream 0 is meant.
 */
#ifndef FAKECUDA_DRIVER_H
#define FAKECUDA_DRIVER_H

#include "device.h"
#include "entry.h"

#define ROW(name, kind) DECLARE_IMPL(name)
#include "driver.def"
#undef ROW

enum fc_row {
#define ROW(name, kind) row_##name,
#include "driver.def"
#undef ROW
	fc_rows
};

/* One per thread that called the driver; freed when the thread ends. */
struct fc_thread {
	unsigned long long calls[fc_rows];
	bool armed; /* a hook or an injected failure is waiting */
	const char *inside_function, *fail_function;
	void (*inside)(void *);
	void *inside_arg;
	CUresult fail_code;
	CUcontext current;
};

extern __thread struct fc_thread *fc_thread_self __attribute__((tls_model("initial-exec")));
struct fc_thread *fc_thread_new(void);

static inline struct fc_thread *fc_self(void)
{
	struct fc_thread *self = fc_thread_self;
	return __builtin_expect(self != NULL, 1) ? self : fc_thread_new();
}

/* fc_armed runs what was armed for `function`; the result is the injected failure. */
CUresult fc_armed(struct fc_thread *self, const char *function);

#define ENTER(name)                                                \
	struct fc_thread *self = fc_self();                        \
	self->calls[row_##name]++;                                 \
	if (__builtin_expect(self->armed, 0)) {                    \
		CUresult injected = fc_armed(self, #name);         \
		if (injected != CUDA_SUCCESS)                      \
			return injected;                           \
	}

#define DRV_AS(name, twin, params, ...)        \
	CUresult IMPL(name) params             \
	{                                      \
		ENTER(name)                    \
		enum { per_thread = (twin) };  \
		__VA_ARGS__                    \
	}
#define DRV(name, params, ...) DRV_AS(name, 0, params, __VA_ARGS__)
#define DRV_PAIR(name, suffix, params, ...)    \
	DRV_AS(name, 0, params, __VA_ARGS__)   \
	DRV_AS(name##suffix, 1, params, __VA_ARGS__)

/* STREAM gives the body `stream`, or returns CUDA_ERROR_INVALID_HANDLE. */
#define STREAM(handle)                                               \
	struct CUstream_st *stream = fc_stream(handle, per_thread);  \
	if (stream == NULL)                                          \
		return CUDA_ERROR_INVALID_HANDLE;

/* fc_burn uses ns nanoseconds of the calling thread's CPU time. */
static inline void fc_burn(uint64_t ns)
{
	struct timespec ts;
	uint64_t used, end = 0;
	while (ns != 0) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
		used = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
		end = end == 0 ? used + ns : end;
		if (used >= end)
			return;
		fc_spin_until(fc_now() + (end - used));
	}
}

/* fc_memory_forked frees the allocator's lock in a forked child. */
void fc_memory_forked(void);

/* fc_function_valid accepts only handles that this library gave out. */
bool fc_function_valid(CUfunction f);

#endif
