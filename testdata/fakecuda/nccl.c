// SPDX-License-Identifier: Apache-2.0
//
// libnccl: entry points, settings, per-thread state, errors.
#define _GNU_SOURCE
#include "nccl.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nccl_group.h"

#define ROW(name, kind) ENTRY_##kind(name)
#include "nccl.def"
#undef ROW

#define SETTINGS(X)                  \
	X(nccl_latency_ns, 20000)    \
	X(nccl_bytes_per_us, 100000) \
	X(nccl_desync, 0)            \
	X(nccl_layout, 0)            \
	X(nccl_hash, 0)              \
	X(nccl_decoys, 1)

#define X(name, value) .name = value,
struct nc_settings nc_settings = {SETTINGS(X)};
#undef X

int fakenccl_set(const char *name, unsigned long long value)
{
#define X(setting, unused)                       \
	if (strcmp(name, #setting) == 0) {       \
		nc_settings.setting = value;     \
		return 0;                        \
	}
	SETTINGS(X)
#undef X
	return -1;
}

static void setting_from_environment(const char *name)
{
	char variable[64] = "FAKE";
	size_t n = strlen(variable);
	for (size_t i = 0; name[i] != '\0' && n < sizeof variable - 1; i++)
		variable[n++] = (char)toupper((unsigned char)name[i]);
	const char *value = getenv(variable);
	if (value != NULL)
		fakenccl_set(name, strtoull(value, NULL, 0));
}

uint64_t nc_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

__thread struct nc_thread *nc_thread_self;
static pthread_key_t thread_end;

static void free_thread(void *state)
{
	struct nc_thread *self = state;
	nc_group_free(self->group);
	nc_thread_self = NULL;
	free(self);
}

static void forked(void)
{
	nc_comms_forked();
	if (nc_thread_self != NULL)
		memset(nc_thread_self->calls, 0, sizeof nc_thread_self->calls);
}

/* What ranks left that were killed while others still waited for them. */
__attribute__((destructor)) static void unload(void) { nc_segments_sweep(); }

__attribute__((constructor)) static void load(void)
{
	pthread_key_create(&thread_end, free_thread);
	pthread_atfork(NULL, NULL, forked);
#define X(name, unused) setting_from_environment(#name);
	SETTINGS(X)
#undef X
}

struct nc_thread *nc_thread_new(void)
{
	struct nc_thread *self = calloc(1, sizeof *self);
	if (self == NULL)
		abort();
	pthread_setspecific(thread_end, self);
	return nc_thread_self = self;
}

void fakenccl_calls(fakecuda_visit visit, void *arg)
{
	struct nc_thread *self = nc_self();
#define ROW(name, kind)                   \
	if (self->calls[row_##name] != 0) \
		visit(arg, #name, self->calls[row_##name]);
#include "nccl.def"
#undef ROW
}

static __thread const char *last_error = "";

ncclResult_t nc_fail(ncclResult_t result, const char *text)
{
	last_error = text;
	return result;
}

NCCL(ncclGetVersion, (int *version),
	if (version == NULL)
		return nc_fail(ncclInvalidArgument, "version is NULL");
	*version = NCCL_VERSION_CODE;
	return ncclSuccess;)

NCCL_AS(const char *, ncclGetErrorString, (ncclResult_t result),
	static const char *const texts[] = {
		"success",
		"a CUDA call failed",
		"a system call failed",
		"internal error",
		"invalid argument",
		"invalid usage",
		"a remote process failed",
		"in progress",
	};
	return (unsigned)result < sizeof texts / sizeof texts[0] ? texts[result] : "unknown result";)

NCCL_AS(const char *, ncclGetLastError, (ncclComm_t comm), (void)comm; return last_error;)
