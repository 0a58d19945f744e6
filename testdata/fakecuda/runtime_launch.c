// SPDX-License-Identifier: Apache-2.0
//
// libcudart: registration of device code, lazy loading, launches.
#define _GNU_SOURCE
#include "runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define RT_KERNELS 4096 /* a power of two, never full */

struct CUkern_st {
	_Atomic(const void *) host;
	const void *image;
	const char *name;
	_Atomic(CUfunction) function; /* NULL until the first launch */
};

/* What nvcc puts into .nvFatBinSegment. */
struct fat_binary {
	int magic, version;
	const void *image;
	void *unused;
};

static struct CUkern_st kernels[RT_KERNELS];
/* Recursive, because what runs inside a driver call of a load may launch. */
static pthread_mutex_t load_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void rt_loading_forked(void)
{
	load_lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
}

static size_t slot_of(const void *host) { return (uintptr_t)host * 0x9e3779b97f4a7c15ULL >> 52; }

struct CUkern_st *rt_registered(const void *host)
{
	for (size_t i = slot_of(host), n = 0; n < RT_KERNELS; i = (i + 1) % RT_KERNELS, n++) {
		const void *at = atomic_load_explicit(&kernels[i].host, memory_order_acquire);
		if (at == host && at != NULL)
			return &kernels[i];
		if (at == NULL)
			break;
	}
	return NULL;
}

void **IMPL(__cudaRegisterFatBinary)(void *fatCubin)
{
	rt_self()->calls[row___cudaRegisterFatBinary]++;
	return fatCubin;
}

void IMPL(__cudaRegisterFatBinaryEnd)(void **fatCubinHandle)
{
	(void)fatCubinHandle;
	rt_self()->calls[row___cudaRegisterFatBinaryEnd]++;
}

void IMPL(__cudaUnregisterFatBinary)(void **fatCubinHandle)
{
	(void)fatCubinHandle;
	rt_self()->calls[row___cudaUnregisterFatBinary]++;
}

void IMPL(__cudaRegisterFunction)(void **fatCubinHandle, const char *hostFun, char *deviceFun, const char *deviceName,
				  int thread_limit, void *tid, void *bid, void *bDim, void *gDim, int *wSize)
{
	(void)deviceFun, (void)thread_limit, (void)tid, (void)bid, (void)bDim, (void)gDim, (void)wSize;
	const struct fat_binary *binary = (const void *)fatCubinHandle;
	rt_self()->calls[row___cudaRegisterFunction]++;
	pthread_mutex_lock(&load_lock);
	for (size_t i = slot_of(hostFun), n = 0; n < RT_KERNELS; i = (i + 1) % RT_KERNELS, n++) {
		if (kernels[i].host != NULL && kernels[i].host != hostFun)
			continue;
		kernels[i].image = binary->image;
		kernels[i].name = deviceName;
		atomic_store_explicit(&kernels[i].host, hostFun, memory_order_release);
		break;
	}
	pthread_mutex_unlock(&load_lock);
}

static CUresult initialise(void)
{
	static CUcontext context;
	CUresult result = CUDA_SUCCESS;
	if (context == NULL) {
		result = cuInit(0);
		if (result == CUDA_SUCCESS)
			result = cuDevicePrimaryCtxRetain(&context, 0);
	}
	return result == CUDA_SUCCESS ? cuCtxSetCurrent(context) : result;
}

static CUresult load(struct CUkern_st *kernel)
{
	CUmodule module;
	CUfunction f;
	CUresult result = initialise();
	if (result == CUDA_SUCCESS)
		result = cuModuleLoadData(&module, kernel->image);
	if (result == CUDA_SUCCESS)
		result = cuModuleGetFunction(&f, module, kernel->name);
	if (result == CUDA_SUCCESS)
		atomic_store_explicit(&kernel->function, f, memory_order_release);
	return result;
}

CUresult rt_function(struct CUkern_st *kernel, CUfunction *f)
{
	if (kernel < kernels || kernel >= kernels + RT_KERNELS || kernel->name == NULL)
		return (CUresult)cudaErrorInvalidDeviceFunction;
	*f = atomic_load_explicit(&kernel->function, memory_order_acquire);
	if (__builtin_expect(*f != NULL, 1))
		return CUDA_SUCCESS;
	pthread_mutex_lock(&load_lock);
	CUresult result = kernel->function == NULL ? load(kernel) : CUDA_SUCCESS;
	pthread_mutex_unlock(&load_lock);
	*f = kernel->function;
	return result;
}

#define LAUNCH(kernel, call)                                                                      \
	({                                                                                        \
		CUfunction f;                                                                     \
		CUresult result = rt_function(kernel, &f);                                        \
		if (result == CUDA_SUCCESS)                                                       \
			result = call;                                                            \
		result;                                                                           \
	})
#define DIMS gridDim.x, gridDim.y, gridDim.z, blockDim.x, blockDim.y, blockDim.z, (unsigned int)sharedMem, stream

FORWARD_PAIR(cudaLaunchKernel, _ptsz, RT_LAUNCH_PARAMS(const void *),
	LAUNCH(rt_registered(func), cuLaunchKernel(f, DIMS, args, NULL)),
	LAUNCH(rt_registered(func), cuLaunchKernel_ptsz(f, DIMS, args, NULL)))
FORWARD_PAIR(__cudaLaunchKernel, _ptsz, RT_LAUNCH_PARAMS(cudaKernel_t),
	LAUNCH(func, cuLaunchKernel(f, DIMS, args, NULL)),
	LAUNCH(func, cuLaunchKernel_ptsz(f, DIMS, args, NULL)))
FORWARD_PAIR(cudaLaunchCooperativeKernel, _ptsz, RT_LAUNCH_PARAMS(const void *),
	LAUNCH(rt_registered(func), cuLaunchCooperativeKernel(f, DIMS, args)),
	LAUNCH(rt_registered(func), cuLaunchCooperativeKernel_ptsz(f, DIMS, args)))

static CUlaunchConfig driver_config(const cudaLaunchConfig_t *c)
{
	return (CUlaunchConfig){
		.gridDimX = c->gridDim.x, .gridDimY = c->gridDim.y, .gridDimZ = c->gridDim.z,
		.blockDimX = c->blockDim.x, .blockDimY = c->blockDim.y, .blockDimZ = c->blockDim.z,
		.sharedMemBytes = (unsigned int)c->dynamicSmemBytes, .hStream = c->stream,
		.attrs = (CUlaunchAttribute *)(void *)c->attrs, .numAttrs = c->numAttrs,
	};
}

static CUresult launch_ex(const cudaLaunchConfig_t *config, const void *func, void **args,
			  CUresult (*launch)(const CUlaunchConfig *, CUfunction, void **, void **))
{
	CUfunction f;
	if (config == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = rt_function(rt_registered(func), &f);
	if (result != CUDA_SUCCESS)
		return result;
	CUlaunchConfig c = driver_config(config);
	return launch(&c, f, args, NULL);
}

FORWARD_PAIR(cudaLaunchKernelExC, _ptsz, (const cudaLaunchConfig_t *config, const void *func, void **args),
	launch_ex(config, func, args, cuLaunchKernelEx), launch_ex(config, func, args, cuLaunchKernelEx_ptsz))
FORWARD_PAIR(cudaLaunchHostFunc, _ptsz, (cudaStream_t stream, cudaHostFn_t fn, void *userData),
	cuLaunchHostFunc(stream, fn, userData), cuLaunchHostFunc_ptsz(stream, fn, userData))
FORWARD_PAIR(cudaGraphLaunch, _ptsz, (cudaGraphExec_t graphExec, cudaStream_t stream),
	cuGraphLaunch(graphExec, stream), cuGraphLaunch_ptsz(graphExec, stream))

FORWARD(__cudaGetKernel, (cudaKernel_t *kernel, const void *func),
	(*kernel = rt_registered(func)) == NULL ? (CUresult)cudaErrorInvalidDeviceFunction : CUDA_SUCCESS)
