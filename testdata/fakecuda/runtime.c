// SPDX-License-Identifier: Apache-2.0
//
// libcudart: entry points, per-thread state, device, errors, streams, events.
#include "runtime.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROW(name, kind) ENTRY_##kind(name)
#include "runtime.def"
#undef ROW

__thread struct rt_thread *rt_thread_self;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void free_thread(void *state)
{
	rt_thread_self = NULL;
	free(state);
}

/* A forked child counts its own calls, and has no thread that loads. */
static void forked(void)
{
	if (rt_thread_self != NULL)
		memset(rt_thread_self->calls, 0, sizeof rt_thread_self->calls);
	rt_loading_forked();
}

static void make_key(void)
{
	pthread_key_create(&thread_end, free_thread);
	pthread_atfork(NULL, NULL, forked);
}

struct rt_thread *rt_thread_new(void)
{
	struct rt_thread *self = calloc(1, sizeof *self);
	if (self == NULL)
		abort();
	pthread_once(&thread_end_once, make_key);
	pthread_setspecific(thread_end, self);
	return rt_thread_self = self;
}

void fakecuda_runtime_calls(fakecuda_visit visit, void *arg)
{
	struct rt_thread *self = rt_self();
#define ROW(name, kind)                   \
	if (self->calls[row_##name] != 0) \
		visit(arg, #name, self->calls[row_##name]);
#include "runtime.def"
#undef ROW
}

static CUresult set_device(int device)
{
	CUcontext context;
	CUresult result = cuDevicePrimaryCtxRetain(&context, device);
	if (result == CUDA_SUCCESS)
		result = cuCtxSetCurrent(context);
	if (result == CUDA_SUCCESS)
		rt_self()->device = device;
	return result;
}

FORWARD(cudaSetDevice, (int device), set_device(device))
FORWARD(cudaGetDevice, (int *device),
	device == NULL ? CUDA_ERROR_INVALID_VALUE : (*device = rt_self()->device, CUDA_SUCCESS))
FORWARD(cudaGetDeviceCount, (int *count), cuDeviceGetCount(count))
FORWARD(cudaSetDeviceFlags, (unsigned int flags), cuDevicePrimaryCtxSetFlags_v2(rt_self()->device, flags))

cudaError_t IMPL(cudaGetLastError)(void)
{
	struct rt_thread *self = rt_self();
	cudaError_t error = self->last_error;
	self->calls[row_cudaGetLastError]++;
	self->last_error = cudaSuccess;
	return error;
}

cudaError_t IMPL(cudaPeekAtLastError)(void)
{
	rt_self()->calls[row_cudaPeekAtLastError]++;
	return rt_self()->last_error;
}

static const struct {
	cudaError_t code;
	const char *name, *text;
} errors[] = {
	{cudaSuccess, "cudaSuccess", "no error"},
	{cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
	{cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
	{cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
	{cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
	{cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
	{cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
	{cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
	{cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
	{cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
};

static size_t error_index(cudaError_t error)
{
	size_t i = 0;
	while (i < sizeof errors / sizeof errors[0] && errors[i].code != error)
		i++;
	return i;
}

const char *IMPL(cudaGetErrorName)(cudaError_t error)
{
	size_t i = error_index(error);
	rt_self()->calls[row_cudaGetErrorName]++;
	return i < sizeof errors / sizeof errors[0] ? errors[i].name : "unrecognized error code";
}

const char *IMPL(cudaGetErrorString)(cudaError_t error)
{
	size_t i = error_index(error);
	rt_self()->calls[row_cudaGetErrorString]++;
	return i < sizeof errors / sizeof errors[0] ? errors[i].text : "unrecognized error code";
}

FORWARD(cudaDeviceSynchronize, (void), cuCtxSynchronize())
FORWARD_PAIR(cudaStreamSynchronize, _ptsz, (cudaStream_t stream),
	cuStreamSynchronize(stream), cuStreamSynchronize_ptsz(stream))
FORWARD_PAIR(cudaStreamQuery, _ptsz, (cudaStream_t stream), cuStreamQuery(stream), cuStreamQuery_ptsz(stream))
FORWARD_PAIR(cudaStreamWaitEvent, _ptsz, (cudaStream_t stream, cudaEvent_t event, unsigned int flags),
	cuStreamWaitEvent(stream, event, flags), cuStreamWaitEvent_ptsz(stream, event, flags))
FORWARD_PAIR(cudaEventRecord, _ptsz, (cudaEvent_t event, cudaStream_t stream),
	cuEventRecord(event, stream), cuEventRecord_ptsz(event, stream))
FORWARD_PAIR(cudaEventRecordWithFlags, _ptsz, (cudaEvent_t event, cudaStream_t stream, unsigned int flags),
	cuEventRecordWithFlags(event, stream, flags), cuEventRecordWithFlags_ptsz(event, stream, flags))
FORWARD(cudaEventQuery, (cudaEvent_t event), cuEventQuery(event))
FORWARD(cudaEventSynchronize, (cudaEvent_t event), cuEventSynchronize(event))
FORWARD(cudaEventElapsedTime, (float *ms, cudaEvent_t start, cudaEvent_t end), cuEventElapsedTime(ms, start, end))
FORWARD(cudaEventCreate, (cudaEvent_t *event), cuEventCreate(event, 0))
FORWARD(cudaEventCreateWithFlags, (cudaEvent_t *event, unsigned int flags), cuEventCreate(event, flags))
FORWARD(cudaEventDestroy, (cudaEvent_t event), cuEventDestroy_v2(event))
FORWARD(cudaStreamCreate, (cudaStream_t *pStream), cuStreamCreate(pStream, 0))
FORWARD(cudaStreamCreateWithFlags, (cudaStream_t *pStream, unsigned int flags), cuStreamCreate(pStream, flags))
FORWARD(cudaStreamCreateWithPriority, (cudaStream_t *pStream, unsigned int flags, int priority),
	cuStreamCreateWithPriority(pStream, flags, priority))
FORWARD(cudaStreamDestroy, (cudaStream_t stream), cuStreamDestroy_v2(stream))
FORWARD_PAIR(cudaStreamBeginCapture, _ptsz, (cudaStream_t stream, int mode),
	cuStreamBeginCapture_v2(stream, mode), cuStreamBeginCapture_v2_ptsz(stream, mode))
FORWARD_PAIR(cudaStreamEndCapture, _ptsz, (cudaStream_t stream, cudaGraph_t *pGraph),
	cuStreamEndCapture(stream, pGraph), cuStreamEndCapture_ptsz(stream, pGraph))
FORWARD(cudaGraphInstantiate, (cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags),
	cuGraphInstantiateWithFlags(pGraphExec, graph, flags))
FORWARD(cudaGraphExecDestroy, (cudaGraphExec_t graphExec), cuGraphExecDestroy(graphExec))
FORWARD(cudaGraphDestroy, (cudaGraph_t graph), cuGraphDestroy(graph))
