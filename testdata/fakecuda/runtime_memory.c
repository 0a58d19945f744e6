// SPDX-License-Identifier: Apache-2.0
//
// libcudart: allocation, copies and fills.
#include "runtime.h"

#include <string.h>

#define DEV(p) ((CUdeviceptr)(uintptr_t)(p))

FORWARD(cudaMalloc, (void **devPtr, size_t size), cuMemAlloc_v2((CUdeviceptr *)(void *)devPtr, size))
FORWARD(cudaFree, (void *devPtr), cuMemFree_v2(DEV(devPtr)))
FORWARD_PAIR(cudaMallocAsync, _ptsz, (void **devPtr, size_t size, cudaStream_t hStream),
	cuMemAllocAsync((CUdeviceptr *)(void *)devPtr, size, hStream),
	cuMemAllocAsync_ptsz((CUdeviceptr *)(void *)devPtr, size, hStream))
FORWARD_PAIR(cudaFreeAsync, _ptsz, (void *devPtr, cudaStream_t hStream),
	cuMemFreeAsync(DEV(devPtr), hStream), cuMemFreeAsync_ptsz(DEV(devPtr), hStream))
FORWARD(cudaMallocHost, (void **ptr, size_t size), cuMemAllocHost_v2(ptr, size))
FORWARD(cudaHostAlloc, (void **pHost, size_t size, unsigned int flags), cuMemHostAlloc(pHost, size, flags))
FORWARD(cudaFreeHost, (void *ptr), cuMemFreeHost(ptr))
FORWARD(cudaMallocManaged, (void **devPtr, size_t size, unsigned int flags),
	cuMemAllocManaged((CUdeviceptr *)(void *)devPtr, size, flags))
FORWARD(cudaMallocPitch, (void **devPtr, size_t *pitch, size_t width, size_t height),
	cuMemAllocPitch_v2((CUdeviceptr *)(void *)devPtr, pitch, width, height, 4))
FORWARD(cudaMemGetInfo, (size_t *available, size_t *total), cuMemGetInfo_v2(available, total))

static CUresult host_to_host(void *dst, const void *src, size_t count)
{
	memmove(dst, src, count);
	return CUDA_SUCCESS;
}

#define COPY(dst, src, count, kind, suffix)                                                                   \
	((kind) == cudaMemcpyHostToHost     ? host_to_host(dst, src, count)                                   \
	 : (kind) == cudaMemcpyHostToDevice ? cuMemcpyHtoD_v2##suffix(DEV(dst), src, count)                   \
	 : (kind) == cudaMemcpyDeviceToHost ? cuMemcpyDtoH_v2##suffix(dst, DEV(src), count)                   \
	 : (kind) == cudaMemcpyDeviceToDevice ? cuMemcpyDtoD_v2##suffix(DEV(dst), DEV(src), count)            \
	 : (kind) == cudaMemcpyDefault        ? cuMemcpy##suffix(DEV(dst), DEV(src), count)                   \
					      : (CUresult)cudaErrorInvalidMemcpyDirection)
#define COPY_ASYNC(dst, src, count, kind, stream, suffix)                                                     \
	((kind) == cudaMemcpyHostToHost     ? host_to_host(dst, src, count)                                   \
	 : (kind) == cudaMemcpyHostToDevice ? cuMemcpyHtoDAsync_v2##suffix(DEV(dst), src, count, stream)      \
	 : (kind) == cudaMemcpyDeviceToHost ? cuMemcpyDtoHAsync_v2##suffix(dst, DEV(src), count, stream)      \
	 : (kind) == cudaMemcpyDeviceToDevice                                                                 \
		 ? cuMemcpyDtoDAsync_v2##suffix(DEV(dst), DEV(src), count, stream)                            \
	 : (kind) == cudaMemcpyDefault ? cuMemcpyAsync##suffix(DEV(dst), DEV(src), count, stream)             \
				       : (CUresult)cudaErrorInvalidMemcpyDirection)

FORWARD_PAIR(cudaMemcpy, _ptds, (void *dst, const void *src, size_t count, cudaMemcpyKind kind),
	COPY(dst, src, count, kind, ), COPY(dst, src, count, kind, _ptds))
FORWARD_PAIR(cudaMemcpyAsync, _ptsz,
	(void *dst, const void *src, size_t count, cudaMemcpyKind kind, cudaStream_t stream),
	COPY_ASYNC(dst, src, count, kind, stream, ), COPY_ASYNC(dst, src, count, kind, stream, _ptsz))

#define RECTANGLE                                                                                             \
	(&(CUDA_MEMCPY2D){.srcMemoryType = kind == cudaMemcpyHostToDevice ? 1 : 2,                            \
			  .srcHost = src, .srcDevice = DEV(src), .srcPitch = spitch,                          \
			  .dstMemoryType = kind == cudaMemcpyDeviceToHost ? 1 : 2,                            \
			  .dstHost = dst, .dstDevice = DEV(dst), .dstPitch = dpitch,                          \
			  .WidthInBytes = width, .Height = height})
#define FITS (width <= dpitch && width <= spitch && (unsigned)kind <= cudaMemcpyDefault)

FORWARD_PAIR(cudaMemcpy2D, _ptds,
	(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width, size_t height, cudaMemcpyKind kind),
	!FITS ? CUDA_ERROR_INVALID_VALUE : cuMemcpy2D_v2(RECTANGLE),
	!FITS ? CUDA_ERROR_INVALID_VALUE : cuMemcpy2D_v2_ptds(RECTANGLE))
FORWARD_PAIR(cudaMemcpy2DAsync, _ptsz,
	(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width, size_t height, cudaMemcpyKind kind,
		cudaStream_t stream),
	!FITS ? CUDA_ERROR_INVALID_VALUE : cuMemcpy2DAsync_v2(RECTANGLE, stream),
	!FITS ? CUDA_ERROR_INVALID_VALUE : cuMemcpy2DAsync_v2_ptsz(RECTANGLE, stream))
FORWARD(cudaMemcpyPeer, (void *dst, int dstDevice, const void *src, int srcDevice, size_t count),
	dstDevice < 0 || srcDevice < 0 ? CUDA_ERROR_INVALID_DEVICE
				       : cuMemcpyPeer(DEV(dst), NULL, DEV(src), NULL, count))
FORWARD(cudaMemcpyPeerAsync,
	(void *dst, int dstDevice, const void *src, int srcDevice, size_t count, cudaStream_t stream),
	dstDevice < 0 || srcDevice < 0 ? CUDA_ERROR_INVALID_DEVICE
				       : cuMemcpyPeerAsync(DEV(dst), NULL, DEV(src), NULL, count, stream))
FORWARD_PAIR(cudaMemset, _ptds, (void *devPtr, int value, size_t count),
	cuMemsetD8_v2(DEV(devPtr), (unsigned char)value, count),
	cuMemsetD8_v2_ptds(DEV(devPtr), (unsigned char)value, count))
FORWARD_PAIR(cudaMemsetAsync, _ptsz, (void *devPtr, int value, size_t count, cudaStream_t stream),
	cuMemsetD8Async(DEV(devPtr), (unsigned char)value, count, stream),
	cuMemsetD8Async_ptsz(DEV(devPtr), (unsigned char)value, count, stream))
