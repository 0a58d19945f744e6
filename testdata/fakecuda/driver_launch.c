// SPDX-License-Identifier: Apache-2.0
//
// libcuda: launches, host functions, graphs.
//
// A kernel runs for *(uint64_t *)kernelParams[0] nanoseconds; 0 where there are
// no parameters.
#include "driver.h"

#include <stdlib.h>

static uint64_t duration(void **params)
{
	return params != NULL && params[0] != NULL ? *(const uint64_t *)params[0] : 0;
}

static CUresult launch(struct CUstream_st *stream, CUfunction f, unsigned int threads, const struct fc_item *item)
{
	if (stream == NULL || !fc_function_valid(f))
		return CUDA_ERROR_INVALID_HANDLE;
	if (threads == 0 || threads > 1024)
		return CUDA_ERROR_INVALID_VALUE;
	fc_submit(stream, item, NULL);
	return CUDA_SUCCESS;
}

#define KERNEL(params) (&(struct fc_item){.work = fc_kernel, .ns = duration(params)})

static unsigned int threads_of(unsigned int x, unsigned int y, unsigned int z)
{
	return x > 1024 || y > 1024 || z > 64 ? 0 : x * y * z;
}

DRV_PAIR(cuLaunchKernel, _ptsz,
	(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX,
		unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
		void **kernelParams, void **extra),
	(void)sharedMemBytes; (void)extra;
	if (gridDimX == 0 || gridDimY == 0 || gridDimZ == 0)
		return CUDA_ERROR_INVALID_VALUE;
	return launch(fc_stream(hStream, per_thread), f, threads_of(blockDimX, blockDimY, blockDimZ), KERNEL(kernelParams));)

DRV_PAIR(cuLaunchCooperativeKernel, _ptsz,
	(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ, unsigned int blockDimX,
		unsigned int blockDimY, unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
		void **kernelParams),
	(void)sharedMemBytes;
	if (gridDimX == 0 || gridDimY == 0 || gridDimZ == 0)
		return CUDA_ERROR_INVALID_VALUE;
	return launch(fc_stream(hStream, per_thread), f, threads_of(blockDimX, blockDimY, blockDimZ), KERNEL(kernelParams));)

static struct fakecuda_gate *gate_of(const CUlaunchConfig *config)
{
	for (unsigned i = 0; config->attrs != NULL && i < config->numAttrs; i++)
		if (config->attrs[i].id == FAKECUDA_LAUNCH_ATTRIBUTE_GATE)
			return config->attrs[i].value.gate;
	return NULL;
}

DRV_PAIR(cuLaunchKernelEx, _ptsz, (const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra),
	(void)extra;
	if (config == NULL || config->gridDimX == 0 || config->gridDimY == 0 || config->gridDimZ == 0)
		return CUDA_ERROR_INVALID_VALUE;
	struct fc_item item = {.work = fc_kernel, .ns = duration(kernelParams), .gate = gate_of(config)};
	return launch(fc_stream(config->hStream, per_thread), f,
		threads_of(config->blockDimX, config->blockDimY, config->blockDimZ), &item);)

/* A host function with the cell that says when it runs. */
struct host_call {
	fc_end end;
	CUhostFn fn;
	void *data;
};

static void run_host_call(void *arg)
{
	struct host_call call = *(struct host_call *)arg;
	free(arg);
	call.fn(call.data);
}

static CUresult call_later(struct CUstream_st *stream, CUhostFn fn, void *data)
{
	struct host_call *call = malloc(sizeof *call);
	if (call == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	call->fn = fn;
	call->data = data;
	fc_stream_end(stream, &call->end);
	fc_at(&call->end, run_host_call, call);
	return CUDA_SUCCESS;
}

DRV_PAIR(cuLaunchHostFunc, _ptsz, (CUstream hStream, CUhostFn fn, void *userData),
	STREAM(hStream)
	if (fn == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	return call_later(stream, fn, userData);)

/* A graph is how many items were captured and how long they take together. */
struct CUgraphExec_st {
	struct CUgraph_st graph;
};

DRV_PAIR(cuStreamBeginCapture_v2, _ptsz, (CUstream hStream, int mode),
	STREAM(hStream)
	(void)mode;
	if (stream->legacy)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (stream->capture != NULL)
		return CUDA_ERROR_ILLEGAL_STATE;
	stream->capture = calloc(1, sizeof *stream->capture);
	return stream->capture == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;)

DRV_PAIR(cuStreamEndCapture, _ptsz, (CUstream hStream, CUgraph *phGraph),
	STREAM(hStream)
	if (stream->capture == NULL || phGraph == NULL)
		return CUDA_ERROR_ILLEGAL_STATE;
	*phGraph = stream->capture;
	stream->capture = NULL;
	return CUDA_SUCCESS;)

DRV(cuGraphInstantiateWithFlags, (CUgraphExec *phGraphExec, CUgraph hGraph, unsigned long long flags),
	(void)flags;
	if (phGraphExec == NULL || hGraph == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*phGraphExec = malloc(sizeof **phGraphExec);
	if (*phGraphExec == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	(*phGraphExec)->graph = *hGraph;
	return CUDA_SUCCESS;)

DRV_PAIR(cuGraphLaunch, _ptsz, (CUgraphExec hGraphExec, CUstream hStream),
	STREAM(hStream)
	if (hGraphExec == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	fc_submit(stream, &(struct fc_item){.work = fc_kernel, .ns = hGraphExec->graph.total_ns}, NULL);
	return CUDA_SUCCESS;)

DRV(cuGraphExecDestroy, (CUgraphExec hGraphExec), free(hGraphExec); return CUDA_SUCCESS;)
DRV(cuGraphDestroy, (CUgraph hGraph), free(hGraph); return CUDA_SUCCESS;)
