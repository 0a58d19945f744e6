/* SPDX-License-Identifier: Apache-2.0
 *
 * How libnccl's functions are written: NCCL defines an exported function, which
 * is weak, as in the real library, and its alias pnccl..., which is not.
 */
#ifndef FAKECUDA_NCCL_H
#define FAKECUDA_NCCL_H

#include "fakenccl.h"

#ifdef FAKENCCL_HIDDEN
#define ENTRY_HIDDEN(name) ".hidden " #name "\n"
#else
#define ENTRY_HIDDEN(name) ""
#endif
#define ENTRY_BINDING(name)                                                   \
	".weak " #name "\n.globl p" #name "\n.set p" #name ", " #name "\n"   \
	ENTRY_HIDDEN(name) ENTRY_HIDDEN(p##name)
#include "entry.h"

#if defined(__x86_64__)
#define ALIAS(name)
#else
#define ALIAS(name)                                                           \
	extern __typeof__(name) name __attribute__((weak));                   \
	extern __typeof__(name) p##name __attribute__((alias(#name)));
#endif

#define ROW(name, kind) DECLARE_IMPL(name)
#include "nccl.def"
#undef ROW

enum nc_row {
#define ROW(name, kind) row_##name,
#include "nccl.def"
#undef ROW
	nc_rows
};

/* What an open group of a thread will do (nccl_group.c). */
struct nc_group;

/* One per thread that called the library; freed when the thread ends. */
struct nc_thread {
	unsigned long long calls[nc_rows];
	unsigned depth;         /* of open groups */
	struct nc_group *group; /* what the outermost ncclGroupEnd will do, or NULL */
};

extern __thread struct nc_thread *nc_thread_self __attribute__((tls_model("initial-exec")));
struct nc_thread *nc_thread_new(void);

static inline struct nc_thread *nc_self(void)
{
	struct nc_thread *self = nc_thread_self;
	return __builtin_expect(self != NULL, 1) ? self : nc_thread_new();
}

#define NCCL_AS(type, name, params, ...)             \
	ALIAS(name)                                  \
	type IMPL(name) params                       \
	{                                            \
		nc_self()->calls[row_##name]++;      \
		__VA_ARGS__                          \
	}
#define NCCL(name, params, ...) NCCL_AS(ncclResult_t, name, params, __VA_ARGS__)

/* Settings, from the environment (FAKE + upper-case name) and fakenccl_set. */
struct nc_settings {
	unsigned long long nccl_latency_ns;   /* an operation takes this */
	unsigned long long nccl_bytes_per_us; /* and its bytes divided by this; 0: nothing */
	unsigned long long nccl_desync;       /* different operations meet: 0: they never end, 1: they end as usual */
	unsigned long long nccl_layout;       /* of the memory of later communicators (nccl_memory.c) */
	unsigned long long nccl_hash;         /* commHash as of NCCL 0: up to 2.25, 1: later */
	unsigned long long nccl_decoys;       /* 0: nothing else in that memory has rank and nRanks */
};
extern struct nc_settings nc_settings;

/* nc_fail remembers the text for ncclGetLastError and returns the result. */
ncclResult_t nc_fail(ncclResult_t result, const char *text);

/* nc_comms_forked: in a forked child the communicators of its parent are gone. */
void nc_comms_forked(void);

uint64_t nc_now(void);

#endif
