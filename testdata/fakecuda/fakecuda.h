/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of cuda.h and cuda_runtime_api.h that the simulated stack offers:
 * types with the layout, prototypes with the argument order and result codes
 * with the values of the CUDA 12 headers. See README.md for what the
 * functions do here.
 */
#ifndef FAKECUDA_H
#define FAKECUDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef unsigned long long CUmemGenericAllocationHandle;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUlib_st *CUlibrary;
typedef struct CUkern_st *CUkernel;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUmemPoolHandle_st *CUmemoryPool;
typedef void (*CUhostFn)(void *data);

typedef enum {
	CUDA_SUCCESS = 0,
	CUDA_ERROR_INVALID_VALUE = 1,
	CUDA_ERROR_OUT_OF_MEMORY = 2,
	CUDA_ERROR_NOT_INITIALIZED = 3,
	CUDA_ERROR_INVALID_DEVICE = 101,
	CUDA_ERROR_INVALID_IMAGE = 200,
	CUDA_ERROR_INVALID_CONTEXT = 201,
	CUDA_ERROR_FILE_NOT_FOUND = 301,
	CUDA_ERROR_INVALID_HANDLE = 400,
	CUDA_ERROR_NOT_FOUND = 500,
	CUDA_ERROR_NOT_READY = 600,
	CUDA_ERROR_ILLEGAL_ADDRESS = 700,
	CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
	CUDA_ERROR_LAUNCH_FAILED = 719,
	CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
	CUDA_ERROR_ILLEGAL_STATE = 401,
	CUDA_ERROR_UNKNOWN = 999
} CUresult;

typedef enum {
	cudaSuccess = 0,
	cudaErrorInvalidValue = 1,
	cudaErrorMemoryAllocation = 2,
	cudaErrorInitializationError = 3,
	cudaErrorInvalidDeviceFunction = 98,
	cudaErrorInvalidDevice = 101,
	cudaErrorInvalidMemcpyDirection = 21,
	cudaErrorInvalidResourceHandle = 400,
	cudaErrorSymbolNotFound = 500,
	cudaErrorNotReady = 600,
	cudaErrorIllegalAddress = 700,
	cudaErrorLaunchOutOfResources = 701,
	cudaErrorLaunchFailure = 719,
	cudaErrorUnknown = 999
} cudaError_t;

typedef enum cudaMemcpyKind {
	cudaMemcpyHostToHost = 0,
	cudaMemcpyHostToDevice = 1,
	cudaMemcpyDeviceToHost = 2,
	cudaMemcpyDeviceToDevice = 3,
	cudaMemcpyDefault = 4
} cudaMemcpyKind;

typedef struct dim3 {
	unsigned int x, y, z;
} dim3;

typedef CUstream cudaStream_t;
typedef CUevent cudaEvent_t;
typedef CUkernel cudaKernel_t;
typedef CUgraph cudaGraph_t;
typedef CUgraphExec cudaGraphExec_t;
typedef CUhostFn cudaHostFn_t;

#define CU_STREAM_LEGACY ((CUstream)0x1)
#define CU_STREAM_PER_THREAD ((CUstream)0x2)
#define CU_STREAM_NON_BLOCKING 0x1
#define CU_EVENT_BLOCKING_SYNC 0x1
#define cudaDeviceScheduleSpin 0x01
#define cudaDeviceScheduleBlockingSync 0x04
#define CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM 2

typedef struct cudaLaunchAttribute cudaLaunchAttribute;
struct fakecuda_gate;
typedef struct CUlaunchAttribute {
	int id;
	char pad[4];
	union {
		char pad[64];
		struct fakecuda_gate *gate; /* FAKECUDA_LAUNCH_ATTRIBUTE_GATE */
	} value;
} CUlaunchAttribute;

typedef struct cudaLaunchConfig_t {
	dim3 gridDim;
	dim3 blockDim;
	size_t dynamicSmemBytes;
	cudaStream_t stream;
	cudaLaunchAttribute *attrs;
	unsigned int numAttrs;
} cudaLaunchConfig_t;

typedef struct CUlaunchConfig {
	unsigned int gridDimX, gridDimY, gridDimZ;
	unsigned int blockDimX, blockDimY, blockDimZ;
	unsigned int sharedMemBytes;
	CUstream hStream;
	CUlaunchAttribute *attrs;
	unsigned int numAttrs;
} CUlaunchConfig;

typedef struct CUDA_MEMCPY2D {
	size_t srcXInBytes, srcY;
	unsigned int srcMemoryType;
	const void *srcHost;
	CUdeviceptr srcDevice;
	void *srcArray;
	size_t srcPitch;
	size_t dstXInBytes, dstY;
	unsigned int dstMemoryType;
	void *dstHost;
	CUdeviceptr dstDevice;
	void *dstArray;
	size_t dstPitch;
	size_t WidthInBytes, Height;
} CUDA_MEMCPY2D;

#ifdef __cplusplus
#define FC_ASSERT static_assert
#else
#define FC_ASSERT _Static_assert
#endif
FC_ASSERT(sizeof(dim3) == 12, "dim3");
FC_ASSERT(offsetof(cudaLaunchConfig_t, blockDim) == 12, "cudaLaunchConfig_t.blockDim");
FC_ASSERT(offsetof(cudaLaunchConfig_t, dynamicSmemBytes) == 24, "cudaLaunchConfig_t.dynamicSmemBytes");
FC_ASSERT(offsetof(cudaLaunchConfig_t, stream) == 32, "cudaLaunchConfig_t.stream");
FC_ASSERT(offsetof(cudaLaunchConfig_t, attrs) == 40, "cudaLaunchConfig_t.attrs");
FC_ASSERT(offsetof(cudaLaunchConfig_t, numAttrs) == 48, "cudaLaunchConfig_t.numAttrs");
FC_ASSERT(sizeof(cudaLaunchConfig_t) == 56, "cudaLaunchConfig_t");
FC_ASSERT(sizeof(CUlaunchAttribute) == 72, "CUlaunchAttribute");
FC_ASSERT(offsetof(CUlaunchConfig, blockDimX) == 12, "CUlaunchConfig.blockDimX");
FC_ASSERT(offsetof(CUlaunchConfig, sharedMemBytes) == 24, "CUlaunchConfig.sharedMemBytes");
FC_ASSERT(offsetof(CUlaunchConfig, hStream) == 32, "CUlaunchConfig.hStream");
FC_ASSERT(offsetof(CUlaunchConfig, attrs) == 40, "CUlaunchConfig.attrs");
FC_ASSERT(offsetof(CUlaunchConfig, numAttrs) == 48, "CUlaunchConfig.numAttrs");
FC_ASSERT(sizeof(CUlaunchConfig) == 56, "CUlaunchConfig");

/* FC_DECL declares an exported function; FC_PAIR also its per-thread twin. */
#ifdef FAKECUDA_LATE /* the program is not linked to the libraries: every address is NULL */
#define FC_API __attribute__((weak))
#define FC_LINKED(name) (name != NULL)
#else
#define FC_API __attribute__((visibility("default")))
#define FC_LINKED(name) 1
#endif
#ifdef FAKECUDA_STATIC
#define FC_RT __attribute__((visibility("hidden")))
#else
#define FC_RT FC_API
#endif
#define CU(name, params) FC_API CUresult name params
#define CU_PAIR(name, suffix, params) CU(name, params); CU(name##suffix, params)
#define RT(name, params) FC_RT cudaError_t name params
#define RT_PAIR(name, suffix, params) RT(name, params); RT(name##suffix, params)

/* Driver: launches. */
CU_PAIR(cuLaunchKernel, _ptsz, (CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
	unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes,
	CUstream hStream, void **kernelParams, void **extra));
CU_PAIR(cuLaunchCooperativeKernel, _ptsz, (CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
	unsigned int sharedMemBytes, CUstream hStream, void **kernelParams));
CU_PAIR(cuLaunchKernelEx, _ptsz, (const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra));
CU_PAIR(cuLaunchHostFunc, _ptsz, (CUstream hStream, CUhostFn fn, void *userData));
CU_PAIR(cuGraphLaunch, _ptsz, (CUgraphExec hGraphExec, CUstream hStream));

/* Driver: synchronisation, streams, events, graphs. */
CU_PAIR(cuStreamSynchronize, _ptsz, (CUstream hStream));
CU_PAIR(cuStreamQuery, _ptsz, (CUstream hStream));
CU_PAIR(cuStreamWaitEvent, _ptsz, (CUstream hStream, CUevent hEvent, unsigned int flags));
CU_PAIR(cuEventRecord, _ptsz, (CUevent hEvent, CUstream hStream));
CU_PAIR(cuEventRecordWithFlags, _ptsz, (CUevent hEvent, CUstream hStream, unsigned int flags));
CU(cuEventQuery, (CUevent hEvent));
CU(cuEventSynchronize, (CUevent hEvent));
CU(cuEventElapsedTime, (float *ms, CUevent start, CUevent end));
CU(cuEventCreate, (CUevent *phEvent, unsigned int flags));
CU(cuEventDestroy_v2, (CUevent hEvent));
CU(cuStreamCreate, (CUstream *phStream, unsigned int flags));
CU(cuStreamCreateWithPriority, (CUstream *phStream, unsigned int flags, int priority));
CU(cuStreamDestroy_v2, (CUstream hStream));
CU_PAIR(cuStreamBeginCapture_v2, _ptsz, (CUstream hStream, int mode));
CU_PAIR(cuStreamEndCapture, _ptsz, (CUstream hStream, CUgraph *phGraph));
CU(cuGraphInstantiateWithFlags, (CUgraphExec *phGraphExec, CUgraph hGraph, unsigned long long flags));
CU(cuGraphExecDestroy, (CUgraphExec hGraphExec));
CU(cuGraphDestroy, (CUgraph hGraph));
CU(cuCtxSynchronize, (void));
CU(cuCtxSynchronize_v2, (CUcontext ctx));

/* Driver: copies and fills. */
CU_PAIR(cuMemcpy, _ptds, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount));
CU_PAIR(cuMemcpyAsync, _ptsz, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream));
CU_PAIR(cuMemcpyHtoD_v2, _ptds, (CUdeviceptr dst, const void *src, size_t ByteCount));
CU_PAIR(cuMemcpyDtoH_v2, _ptds, (void *dst, CUdeviceptr src, size_t ByteCount));
CU_PAIR(cuMemcpyDtoD_v2, _ptds, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount));
CU_PAIR(cuMemcpyHtoDAsync_v2, _ptsz, (CUdeviceptr dst, const void *src, size_t ByteCount, CUstream hStream));
CU_PAIR(cuMemcpyDtoHAsync_v2, _ptsz, (void *dst, CUdeviceptr src, size_t ByteCount, CUstream hStream));
CU_PAIR(cuMemcpyDtoDAsync_v2, _ptsz, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream));
CU_PAIR(cuMemcpyPeer, _ptds, (CUdeviceptr dst, CUcontext dstCtx, CUdeviceptr src, CUcontext srcCtx, size_t ByteCount));
CU_PAIR(cuMemcpyPeerAsync, _ptsz, (CUdeviceptr dst, CUcontext dstCtx, CUdeviceptr src, CUcontext srcCtx,
	size_t ByteCount, CUstream hStream));
CU_PAIR(cuMemcpy2D_v2, _ptds, (const CUDA_MEMCPY2D *copy));
CU_PAIR(cuMemcpy2DAsync_v2, _ptsz, (const CUDA_MEMCPY2D *copy, CUstream hStream));
CU_PAIR(cuMemsetD8_v2, _ptds, (CUdeviceptr dst, unsigned char uc, size_t N));
CU_PAIR(cuMemsetD8Async, _ptsz, (CUdeviceptr dst, unsigned char uc, size_t N, CUstream hStream));
CU_PAIR(cuMemsetD32_v2, _ptds, (CUdeviceptr dst, unsigned int ui, size_t N));
CU_PAIR(cuMemsetD32Async, _ptsz, (CUdeviceptr dst, unsigned int ui, size_t N, CUstream hStream));

/* Driver: memory. */
CU(cuMemAlloc_v2, (CUdeviceptr *dptr, size_t bytesize));
CU(cuMemFree_v2, (CUdeviceptr dptr));
CU_PAIR(cuMemAllocAsync, _ptsz, (CUdeviceptr *dptr, size_t bytesize, CUstream hStream));
CU_PAIR(cuMemFreeAsync, _ptsz, (CUdeviceptr dptr, CUstream hStream));
CU(cuMemAllocHost_v2, (void **pp, size_t bytesize));
CU(cuMemHostAlloc, (void **pp, size_t bytesize, unsigned int Flags));
CU(cuMemFreeHost, (void *p));
CU(cuMemAllocManaged, (CUdeviceptr *dptr, size_t bytesize, unsigned int flags));
CU(cuMemAllocPitch_v2, (CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height, unsigned int ElementSizeBytes));
CU(cuMemGetInfo_v2, (size_t *available, size_t *total));
CU(cuMemCreate, (CUmemGenericAllocationHandle *handle, size_t size, const void *prop, unsigned long long flags));
CU(cuMemRelease, (CUmemGenericAllocationHandle handle));
CU(cuMemMap, (CUdeviceptr ptr, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
	unsigned long long flags));
CU(cuMemUnmap, (CUdeviceptr ptr, size_t size));
CU(cuMemAddressReserve, (CUdeviceptr *ptr, size_t size, size_t alignment, CUdeviceptr addr, unsigned long long flags));
CU(cuMemAddressFree, (CUdeviceptr ptr, size_t size));
CU(cuMemSetAccess, (CUdeviceptr ptr, size_t size, const void *desc, size_t count));

/* Driver: modules, contexts, entry points. */
CU(cuInit, (unsigned int Flags));
CU(cuDriverGetVersion, (int *version));
CU(cuDeviceGet, (CUdevice *device, int ordinal));
CU(cuDeviceGetCount, (int *count));
CU(cuCtxCreate_v2, (CUcontext *pctx, unsigned int flags, CUdevice dev));
CU(cuCtxDestroy_v2, (CUcontext ctx));
CU(cuCtxSetCurrent, (CUcontext ctx));
CU(cuCtxGetCurrent, (CUcontext *pctx));
CU(cuDevicePrimaryCtxRetain, (CUcontext *pctx, CUdevice dev));
CU(cuDevicePrimaryCtxSetFlags_v2, (CUdevice dev, unsigned int flags));
CU(cuModuleLoad, (CUmodule *module, const char *fname));
CU(cuModuleLoadData, (CUmodule *module, const void *image));
CU(cuModuleLoadDataEx, (CUmodule *module, const void *image, unsigned int numOptions, int *options, void **values));
CU(cuModuleUnload, (CUmodule hmod));
CU(cuModuleGetFunction, (CUfunction *hfunc, CUmodule hmod, const char *name));
CU(cuLibraryLoadData, (CUlibrary *library, const void *code, int *jitOptions, void **jitValues, unsigned int nJit,
	int *libOptions, void **libValues, unsigned int nLib));
CU(cuLibraryGetKernel, (CUkernel *pKernel, CUlibrary library, const char *name));
CU(cuLibraryGetModule, (CUmodule *pMod, CUlibrary library));
CU(cuLibraryUnload, (CUlibrary library));
CU(cuKernelGetFunction, (CUfunction *pFunc, CUkernel kernel));
CU(cuGetProcAddress_v2, (const char *symbol, void **pfn, int cudaVersion, uint64_t flags, int *symbolStatus));
CU(cuGetErrorName, (CUresult error, const char **pStr));
CU(cuGetErrorString, (CUresult error, const char **pStr));

/* Runtime: launches. */
#define RT_LAUNCH_PARAMS(first) (first func, dim3 gridDim, dim3 blockDim, void **args, size_t sharedMem, cudaStream_t stream)
RT_PAIR(cudaLaunchKernel, _ptsz, RT_LAUNCH_PARAMS(const void *));
RT_PAIR(cudaLaunchCooperativeKernel, _ptsz, RT_LAUNCH_PARAMS(const void *));
RT_PAIR(__cudaLaunchKernel, _ptsz, RT_LAUNCH_PARAMS(cudaKernel_t));
RT_PAIR(cudaLaunchKernelExC, _ptsz, (const cudaLaunchConfig_t *config, const void *func, void **args));
RT_PAIR(cudaLaunchHostFunc, _ptsz, (cudaStream_t stream, cudaHostFn_t fn, void *userData));
RT_PAIR(cudaGraphLaunch, _ptsz, (cudaGraphExec_t graphExec, cudaStream_t stream));
RT(__cudaGetKernel, (cudaKernel_t *kernel, const void *func));
FC_RT void **__cudaRegisterFatBinary(void *fatCubin);
FC_RT void __cudaRegisterFatBinaryEnd(void **fatCubinHandle);
FC_RT void __cudaUnregisterFatBinary(void **fatCubinHandle);
FC_RT void __cudaRegisterFunction(void **fatCubinHandle, const char *hostFun, char *deviceFun, const char *deviceName,
	int thread_limit, void *tid, void *bid, void *bDim, void *gDim, int *wSize);

/* Runtime: synchronisation, streams, events, graphs. */
RT_PAIR(cudaStreamSynchronize, _ptsz, (cudaStream_t stream));
RT_PAIR(cudaStreamQuery, _ptsz, (cudaStream_t stream));
RT_PAIR(cudaStreamWaitEvent, _ptsz, (cudaStream_t stream, cudaEvent_t event, unsigned int flags));
RT_PAIR(cudaEventRecord, _ptsz, (cudaEvent_t event, cudaStream_t stream));
RT_PAIR(cudaEventRecordWithFlags, _ptsz, (cudaEvent_t event, cudaStream_t stream, unsigned int flags));
RT(cudaEventQuery, (cudaEvent_t event));
RT(cudaEventSynchronize, (cudaEvent_t event));
RT(cudaEventElapsedTime, (float *ms, cudaEvent_t start, cudaEvent_t end));
RT(cudaEventCreate, (cudaEvent_t *event));
RT(cudaEventCreateWithFlags, (cudaEvent_t *event, unsigned int flags));
RT(cudaEventDestroy, (cudaEvent_t event));
RT(cudaStreamCreate, (cudaStream_t *pStream));
RT(cudaStreamCreateWithFlags, (cudaStream_t *pStream, unsigned int flags));
RT(cudaStreamCreateWithPriority, (cudaStream_t *pStream, unsigned int flags, int priority));
RT(cudaStreamDestroy, (cudaStream_t stream));
RT_PAIR(cudaStreamBeginCapture, _ptsz, (cudaStream_t stream, int mode));
RT_PAIR(cudaStreamEndCapture, _ptsz, (cudaStream_t stream, cudaGraph_t *pGraph));
RT(cudaGraphInstantiate, (cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags));
RT(cudaGraphExecDestroy, (cudaGraphExec_t graphExec));
RT(cudaGraphDestroy, (cudaGraph_t graph));
RT(cudaDeviceSynchronize, (void));

/* Runtime: copies and fills. */
RT_PAIR(cudaMemcpy, _ptds, (void *dst, const void *src, size_t count, cudaMemcpyKind kind));
RT_PAIR(cudaMemcpyAsync, _ptsz, (void *dst, const void *src, size_t count, cudaMemcpyKind kind, cudaStream_t stream));
RT_PAIR(cudaMemcpy2D, _ptds, (void *dst, size_t dpitch, const void *src, size_t spitch, size_t width, size_t height,
	cudaMemcpyKind kind));
RT_PAIR(cudaMemcpy2DAsync, _ptsz, (void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
	size_t height, cudaMemcpyKind kind, cudaStream_t stream));
RT(cudaMemcpyPeer, (void *dst, int dstDevice, const void *src, int srcDevice, size_t count));
RT(cudaMemcpyPeerAsync, (void *dst, int dstDevice, const void *src, int srcDevice, size_t count, cudaStream_t stream));
RT_PAIR(cudaMemset, _ptds, (void *devPtr, int value, size_t count));
RT_PAIR(cudaMemsetAsync, _ptsz, (void *devPtr, int value, size_t count, cudaStream_t stream));

/* Runtime: memory, device, errors. */
RT(cudaMalloc, (void **devPtr, size_t size));
RT(cudaFree, (void *devPtr));
RT_PAIR(cudaMallocAsync, _ptsz, (void **devPtr, size_t size, cudaStream_t hStream));
RT_PAIR(cudaFreeAsync, _ptsz, (void *devPtr, cudaStream_t hStream));
RT(cudaMallocHost, (void **ptr, size_t size));
RT(cudaHostAlloc, (void **pHost, size_t size, unsigned int flags));
RT(cudaFreeHost, (void *ptr));
RT(cudaMallocManaged, (void **devPtr, size_t size, unsigned int flags));
RT(cudaMallocPitch, (void **devPtr, size_t *pitch, size_t width, size_t height));
RT(cudaMemGetInfo, (size_t *available, size_t *total));
RT(cudaSetDevice, (int device));
RT(cudaGetDevice, (int *device));
RT(cudaGetDeviceCount, (int *count));
RT(cudaSetDeviceFlags, (unsigned int flags));
RT(cudaGetLastError, (void));
RT(cudaPeekAtLastError, (void));
FC_RT const char *cudaGetErrorName(cudaError_t error);
FC_RT const char *cudaGetErrorString(cudaError_t error);

/* Controls of the simulation, exported by libcuda only. Thread-local: they act
 * on the calling thread's next driver call that is named `function` (any
 * driver call when it is NULL), once. fn runs inside that call and may
 * block and call CUDA; it may also throw, longjmp or end the thread, except
 * inside the calls by which libcudart loads a function (it holds a lock then). An injected code is returned instead of doing the call. */
FC_API void fakecuda_set_inside(const char *function, void (*fn)(void *), void *arg);
FC_API void fakecuda_fail_next(const char *function, CUresult code);

/* fakecuda_set changes a process-wide setting at any time (README.md, Settings);
 * -1 for an unknown name. */
FC_API int fakecuda_set(const char *name, unsigned long long value);

/* The calling thread's calls so far of each exported function, nested ones
 * included, in no order; visit is called for counts above 0. */
typedef void (*fakecuda_visit)(void *arg, const char *function, unsigned long long calls);
FC_API void fakecuda_driver_calls(fakecuda_visit visit, void *arg);
FC_RT void fakecuda_runtime_calls(fakecuda_visit visit, void *arg);

/* A kernel whose end somebody else tells: cuLaunchKernelEx with a launch
 * attribute of this simulation. The kernel occupies its stream until
 * fakecuda_open. `reached` is called once, with no lock held and on any thread,
 * perhaps before the launch returns, as soon as it is known when the stream
 * reaches the kernel (CLOCK_MONOTONIC nanoseconds, perhaps in the future);
 * from then on the kernel may be opened, once, with a time not in the past.
 * The gate is the caller's again when fakecuda_open begins. `mark` is libcuda's:
 * NULL before the launch, and after it where the kernel was not queued but captured. */
#define FAKECUDA_LAUNCH_ATTRIBUTE_GATE 0x66616b65
struct fakecuda_gate {
	void (*reached)(struct fakecuda_gate *gate, uint64_t at);
	void *mark;
};
FC_API void fakecuda_open(struct fakecuda_gate *gate, uint64_t end);

/* A module image that says how long its loading burns the CPU. Any other
 * image takes the setting module_load_ns. */
#define FAKECUDA_IMAGE_MAGIC 0x31474d4941434b46ULL
struct fakecuda_image {
	uint64_t magic;
	uint64_t load_ns;
};

#ifdef __cplusplus
}
#endif
#endif
