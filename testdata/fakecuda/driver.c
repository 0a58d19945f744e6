// SPDX-License-Identifier: Apache-2.0
//
// libcuda: entry points, settings, per-thread state, contexts, errors.
#define _GNU_SOURCE
#include "driver.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the amd64 entry points compare, as the real ones compare their tracing state. */
uint32_t fakecuda_state __attribute__((visibility("hidden"))) = 0;

#define ROW(name, kind) ENTRY_##kind(name)
#include "driver.def"
#undef ROW

#define SETTINGS(X)                                     \
	X(spin, 0)                                      \
	X(queue_depth, 1024)                            \
	X(serial, 0)                                    \
	X(copy_bytes_per_us, 20000)                     \
	X(device_bytes_per_us, 1000000)                 \
	X(module_load_ns, 0)                            \
	X(malloc_ns, 0)                                 \
	X(memory_bytes, 80ULL << 30)                    \
	X(devices, 1)

#define X(name, value) .name = value,
struct fc_settings fc_settings = {SETTINGS(X)};
#undef X

FC_API int fakecuda_set(const char *name, unsigned long long value)
{
#define X(setting, unused)                       \
	if (strcmp(name, #setting) == 0) {       \
		fc_settings.setting = value;     \
		return 0;                        \
	}
	SETTINGS(X)
#undef X
	return -1;
}

static void setting_from_environment(const char *name)
{
	char variable[64] = "FAKECUDA_";
	size_t n = strlen(variable);
	for (size_t i = 0; name[i] != '\0' && n < sizeof variable - 1; i++)
		variable[n++] = (char)toupper((unsigned char)name[i]);
	const char *value = getenv(variable);
	if (value != NULL)
		fakecuda_set(name, strtoull(value, NULL, 0));
}

static pthread_key_t thread_end;

static void free_thread(void *state)
{
	fc_thread_self = NULL;
	free(state);
}

static void forked(void)
{
	fc_device_forked();
	fc_memory_forked();
	if (fc_thread_self != NULL)
		memset(fc_thread_self->calls, 0, sizeof fc_thread_self->calls);
}

__attribute__((constructor)) static void load(void)
{
	pthread_key_create(&thread_end, free_thread);
	pthread_atfork(NULL, NULL, forked);
#define X(name, unused) setting_from_environment(#name);
	SETTINGS(X)
#undef X
}

__thread struct fc_thread *fc_thread_self;

struct fc_thread *fc_thread_new(void)
{
	struct fc_thread *self = calloc(1, sizeof *self);
	if (self == NULL)
		abort();
	pthread_setspecific(thread_end, self);
	return fc_thread_self = self;
}

FC_API void fakecuda_set_inside(const char *function, void (*fn)(void *), void *arg)
{
	struct fc_thread *self = fc_self();
	self->inside_function = function;
	self->inside = fn;
	self->inside_arg = arg;
	self->armed = fn != NULL || self->fail_code != CUDA_SUCCESS;
}

FC_API void fakecuda_fail_next(const char *function, CUresult code)
{
	struct fc_thread *self = fc_self();
	self->fail_function = function;
	self->fail_code = code;
	self->armed = self->inside != NULL || code != CUDA_SUCCESS;
}

CUresult fc_armed(struct fc_thread *self, const char *function)
{
	void (*inside)(void *) = NULL;
	CUresult code = CUDA_SUCCESS;
	if (self->inside != NULL && (self->inside_function == NULL || strcmp(self->inside_function, function) == 0)) {
		inside = self->inside;
		self->inside = NULL;
	}
	if (self->fail_code != CUDA_SUCCESS && (self->fail_function == NULL || strcmp(self->fail_function, function) == 0)) {
		code = self->fail_code;
		self->fail_code = CUDA_SUCCESS;
	}
	self->armed = self->inside != NULL || self->fail_code != CUDA_SUCCESS;
	if (inside != NULL)
		inside(self->inside_arg);
	return code;
}

FC_API void fakecuda_driver_calls(fakecuda_visit visit, void *arg)
{
	struct fc_thread *self = fc_self();
#define ROW(name, kind)                   \
	if (self->calls[row_##name] != 0) \
		visit(arg, #name, self->calls[row_##name]);
#include "driver.def"
#undef ROW
}

struct CUctx_st {
	CUdevice device;
};
static struct CUctx_st primary;

DRV(cuInit, (unsigned int flags), return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;)
DRV(cuDriverGetVersion, (int *version), *version = 12040; return CUDA_SUCCESS;)
static bool exists(CUdevice device) { return device >= 0 && (unsigned long long)device < fc_settings.devices; }

DRV(cuDeviceGetCount, (int *count), *count = (int)fc_settings.devices; return CUDA_SUCCESS;)

DRV(cuDeviceGet, (CUdevice *device, int ordinal),
	if (!exists(ordinal))
		return CUDA_ERROR_INVALID_DEVICE;
	*device = ordinal;
	return CUDA_SUCCESS;)

DRV(cuDevicePrimaryCtxRetain, (CUcontext *pctx, CUdevice dev),
	if (!exists(dev))
		return CUDA_ERROR_INVALID_DEVICE;
	*pctx = &primary;
	return CUDA_SUCCESS;)

DRV(cuDevicePrimaryCtxSetFlags_v2, (CUdevice dev, unsigned int flags),
	if (!exists(dev))
		return CUDA_ERROR_INVALID_DEVICE;
	fc_settings.spin = (flags & cudaDeviceScheduleSpin) != 0;
	return CUDA_SUCCESS;)

DRV(cuCtxCreate_v2, (CUcontext *pctx, unsigned int flags, CUdevice dev),
	if (!exists(dev))
		return CUDA_ERROR_INVALID_DEVICE;
	fc_settings.spin = (flags & cudaDeviceScheduleSpin) != 0;
	*pctx = calloc(1, sizeof **pctx);
	self->current = *pctx;
	return *pctx == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;)

DRV(cuCtxDestroy_v2, (CUcontext ctx),
	if (ctx == NULL || ctx == &primary)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (self->current == ctx)
		self->current = NULL;
	free(ctx);
	return CUDA_SUCCESS;)

DRV(cuCtxSetCurrent, (CUcontext ctx), self->current = ctx; return CUDA_SUCCESS;)
DRV(cuCtxGetCurrent, (CUcontext *pctx), *pctx = self->current; return CUDA_SUCCESS;)

static const struct {
	CUresult code;
	const char *name, *text;
} results[] = {
	{CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
	{CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	{CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	{CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
	{CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	{CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
};

static CUresult describe(CUresult error, const char **name, const char **text)
{
	for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
		if (results[i].code == error) {
			*name = results[i].name;
			*text = results[i].text;
			return CUDA_SUCCESS;
		}
	*name = *text = NULL;
	return CUDA_ERROR_INVALID_VALUE;
}

DRV(cuGetErrorName, (CUresult error, const char **pStr), const char *text; return describe(error, pStr, &text);)
DRV(cuGetErrorString, (CUresult error, const char **pStr), const char *name; return describe(error, &name, pStr);)

static const struct {
	const char *name;
	void *function;
} entry_points[] = {
#define ROW(name, kind) {#name, (void *)name},
#include "driver.def"
#undef ROW
};

static void *entry_point(const char *symbol, const char *suffix)
{
	char name[96];
	snprintf(name, sizeof name, "%s%s", symbol, suffix);
	for (size_t i = 0; i < sizeof entry_points / sizeof entry_points[0]; i++)
		if (strcmp(entry_points[i].name, name) == 0)
			return entry_points[i].function;
	return NULL;
}

DRV(cuGetProcAddress_v2, (const char *symbol, void **pfn, int cudaVersion, uint64_t flags, int *symbolStatus),
	static const char *const per_thread_first[] = {"_ptsz", "_ptds", "_v2_ptsz", "_v2_ptds", "_v2", ""};
	if (symbol == NULL || pfn == NULL || cudaVersion < 2000)
		return CUDA_ERROR_INVALID_VALUE;
	*pfn = NULL;
	size_t first = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0 ? 0 : 4;
	for (size_t i = first; i < 6 && *pfn == NULL; i++)
		*pfn = entry_point(symbol, per_thread_first[i]);
	if (symbolStatus != NULL)
		*symbolStatus = *pfn == NULL ? 1 : 0;
	return *pfn == NULL ? CUDA_ERROR_NOT_FOUND : CUDA_SUCCESS;)
