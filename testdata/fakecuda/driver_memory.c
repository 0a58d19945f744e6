// SPDX-License-Identifier: Apache-2.0
//
// libcuda: allocation, copies and fills. Device memory has addresses and sizes
// but no bytes behind it; copies take their time and move nothing.
#include "driver.h"

#include <stdlib.h>

#define FC_MEMORY_AT 0x7a0000000000ULL
#define FC_BUCKETS 4096
#define FC_CLASSES 48

struct block {
	CUdeviceptr at;
	size_t bytes;
	unsigned class; /* the address range is 512 << class bytes */
	void *host;     /* managed memory has bytes */
	struct block *next;
};

static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *blocks[FC_BUCKETS], *unused[FC_CLASSES];
static CUdeviceptr next_address = FC_MEMORY_AT;
static size_t allocated;

void fc_memory_forked(void) { pthread_mutex_init(&memory_lock, NULL); }

static struct block **bucket(CUdeviceptr at) { return &blocks[(at >> 9) * 0x9e3779b97f4a7c15ULL >> 52]; }

static unsigned class_of(size_t bytes)
{
	unsigned class = 0;
	while (class < FC_CLASSES && ((size_t)512 << class) < bytes)
		class++;
	return class;
}

static CUresult allocate(CUdeviceptr *at, size_t bytes, void *host)
{
	if (at == NULL || bytes == 0)
		return CUDA_ERROR_INVALID_VALUE;
	fc_burn(fc_settings.malloc_ns);
	unsigned class = class_of(bytes);
	CUresult result = CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&memory_lock);
	if (bytes > fc_settings.memory_bytes || allocated > fc_settings.memory_bytes - bytes || class == FC_CLASSES)
		goto out;
	struct block *block = unused[class];
	if (block != NULL) {
		unused[class] = block->next;
	} else {
		block = malloc(sizeof *block);
		if (block == NULL)
			goto out;
		*block = (struct block){.at = next_address, .class = class};
		next_address += (CUdeviceptr)512 << class;
	}
	if (host != NULL)
		block->at = (CUdeviceptr)(uintptr_t)host;
	block->bytes = bytes;
	block->host = host;
	struct block **chain = bucket(block->at);
	block->next = *chain;
	*chain = block;
	allocated += bytes;
	*at = block->at;
	result = CUDA_SUCCESS;
out:
	pthread_mutex_unlock(&memory_lock);
	return result;
}

static CUresult release(CUdeviceptr at)
{
	if (at == 0)
		return CUDA_SUCCESS;
	pthread_mutex_lock(&memory_lock);
	struct block **place = bucket(at);
	while (*place != NULL && (*place)->at != at)
		place = &(*place)->next;
	struct block *block = *place;
	if (block != NULL) {
		*place = block->next;
		allocated -= block->bytes;
		if (block->host != NULL) {
			free(block->host);
			free(block);
		} else {
			block->next = unused[block->class];
			unused[block->class] = block;
		}
	}
	pthread_mutex_unlock(&memory_lock);
	return block == NULL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static CUresult host_memory(void **p, size_t bytes)
{
	if (p == NULL || bytes == 0)
		return CUDA_ERROR_INVALID_VALUE;
	fc_burn(fc_settings.malloc_ns);
	*p = malloc(bytes);
	return *p == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

DRV(cuMemAlloc_v2, (CUdeviceptr *dptr, size_t bytesize), return allocate(dptr, bytesize, NULL);)

/* A free waits for the device first, as the real one does. */
DRV(cuMemFree_v2, (CUdeviceptr dptr),
	if (dptr != 0) {
		fc_end end;
		fc_device_end(&end);
		fc_wait(&end);
	}
	return release(dptr);)
DRV_PAIR(cuMemAllocAsync, _ptsz, (CUdeviceptr *dptr, size_t bytesize, CUstream hStream),
	STREAM(hStream)(void) stream;
	return allocate(dptr, bytesize, NULL);)
DRV_PAIR(cuMemFreeAsync, _ptsz, (CUdeviceptr dptr, CUstream hStream), STREAM(hStream)(void) stream; return release(dptr);)
DRV(cuMemAllocHost_v2, (void **pp, size_t bytesize), return host_memory(pp, bytesize);)
DRV(cuMemHostAlloc, (void **pp, size_t bytesize, unsigned int Flags), (void)Flags; return host_memory(pp, bytesize);)
DRV(cuMemFreeHost, (void *p), free(p); return CUDA_SUCCESS;)
DRV(cuMemAllocManaged, (CUdeviceptr *dptr, size_t bytesize, unsigned int flags),
	(void)flags;
	void *host = malloc(bytesize == 0 ? 1 : bytesize);
	CUresult result = host == NULL ? CUDA_ERROR_OUT_OF_MEMORY : allocate(dptr, bytesize, host);
	if (result != CUDA_SUCCESS)
		free(host);
	return result;)
DRV(cuMemAllocPitch_v2,
	(CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height, unsigned int ElementSizeBytes),
	if (pPitch == NULL || (ElementSizeBytes != 4 && ElementSizeBytes != 8 && ElementSizeBytes != 16))
		return CUDA_ERROR_INVALID_VALUE;
	*pPitch = (WidthInBytes + 511) / 512 * 512;
	return allocate(dptr, *pPitch * Height, NULL);)
DRV(cuMemGetInfo_v2, (size_t *available, size_t *total),
	*total = fc_settings.memory_bytes;
	*available = fc_settings.memory_bytes - allocated;
	return CUDA_SUCCESS;)

/* Virtual memory management: an allocation handle is an allocation, a
 * reservation is address space that counts for nothing. */
DRV(cuMemCreate, (CUmemGenericAllocationHandle *handle, size_t size, const void *prop, unsigned long long flags),
	(void)prop; (void)flags;
	return allocate(handle, size, NULL);)
DRV(cuMemRelease, (CUmemGenericAllocationHandle handle), return release(handle);)
DRV(cuMemAddressReserve,
	(CUdeviceptr *ptr, size_t size, size_t alignment, CUdeviceptr addr, unsigned long long flags),
	(void)alignment; (void)addr; (void)flags;
	if (ptr == NULL || size == 0)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&memory_lock);
	*ptr = next_address;
	next_address += (size + 511) / 512 * 512;
	pthread_mutex_unlock(&memory_lock);
	return CUDA_SUCCESS;)
DRV(cuMemAddressFree, (CUdeviceptr ptr, size_t size), (void)ptr; (void)size; return CUDA_SUCCESS;)
DRV(cuMemMap,
	(CUdeviceptr ptr, size_t size, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long flags),
	(void)size; (void)offset; (void)handle; (void)flags;
	return ptr == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;)
DRV(cuMemUnmap, (CUdeviceptr ptr, size_t size), (void)ptr; (void)size; return CUDA_SUCCESS;)
DRV(cuMemSetAccess, (CUdeviceptr ptr, size_t size, const void *desc, size_t count),
	(void)ptr; (void)size; (void)desc; (void)count;
	return CUDA_SUCCESS;)

/* Copies and fills. host: between host and device; wait: return at the end. */
enum traffic { host_copy, device_copy };

static CUresult transfer(struct CUstream_st *stream, enum traffic traffic, size_t bytes, bool wait)
{
	if (stream == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	unsigned long long rate = traffic == host_copy ? fc_settings.copy_bytes_per_us : fc_settings.device_bytes_per_us;
	uint64_t ns = bytes == 0 || rate == 0 ? 0 : (uint64_t)((double)bytes * 1000.0 / (double)rate);
	fc_end end;
	fc_submit(stream, &(struct fc_item){.work = fc_copy, .ns = ns}, wait ? &end : NULL);
	if (wait)
		fc_wait(&end);
	return CUDA_SUCCESS;
}

#define NOW(traffic, bytes) return transfer(fc_stream(NULL, per_thread), traffic, bytes, true);
#define FIRE(traffic, bytes) return transfer(fc_stream(NULL, per_thread), traffic, bytes, false);
#define LATER(traffic, bytes) return transfer(fc_stream(hStream, per_thread), traffic, bytes, false);

DRV_PAIR(cuMemcpy, _ptds, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount),
	(void)dst; (void)src; NOW(host_copy, ByteCount))
DRV_PAIR(cuMemcpyAsync, _ptsz, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
	(void)dst; (void)src; LATER(host_copy, ByteCount))
DRV_PAIR(cuMemcpyHtoD_v2, _ptds, (CUdeviceptr dst, const void *src, size_t ByteCount),
	(void)dst; (void)src; NOW(host_copy, ByteCount))
DRV_PAIR(cuMemcpyDtoH_v2, _ptds, (void *dst, CUdeviceptr src, size_t ByteCount),
	(void)dst; (void)src; NOW(host_copy, ByteCount))
DRV_PAIR(cuMemcpyDtoD_v2, _ptds, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount),
	(void)dst; (void)src; FIRE(device_copy, ByteCount))
DRV_PAIR(cuMemcpyHtoDAsync_v2, _ptsz, (CUdeviceptr dst, const void *src, size_t ByteCount, CUstream hStream),
	(void)dst; (void)src; LATER(host_copy, ByteCount))
DRV_PAIR(cuMemcpyDtoHAsync_v2, _ptsz, (void *dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
	(void)dst; (void)src; LATER(host_copy, ByteCount))
DRV_PAIR(cuMemcpyDtoDAsync_v2, _ptsz, (CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
	(void)dst; (void)src; LATER(device_copy, ByteCount))
DRV_PAIR(cuMemcpyPeer, _ptds,
	(CUdeviceptr dst, CUcontext dstCtx, CUdeviceptr src, CUcontext srcCtx, size_t ByteCount),
	(void)dst; (void)dstCtx; (void)src; (void)srcCtx; FIRE(device_copy, ByteCount))
DRV_PAIR(cuMemcpyPeerAsync, _ptsz,
	(CUdeviceptr dst, CUcontext dstCtx, CUdeviceptr src, CUcontext srcCtx, size_t ByteCount, CUstream hStream),
	(void)dst; (void)dstCtx; (void)src; (void)srcCtx; LATER(device_copy, ByteCount))
DRV_PAIR(cuMemcpy2D_v2, _ptds, (const CUDA_MEMCPY2D *copy),
	if (copy == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	NOW(host_copy, copy->WidthInBytes * copy->Height))
DRV_PAIR(cuMemcpy2DAsync_v2, _ptsz, (const CUDA_MEMCPY2D *copy, CUstream hStream),
	if (copy == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	LATER(host_copy, copy->WidthInBytes * copy->Height))
DRV_PAIR(cuMemsetD8_v2, _ptds, (CUdeviceptr dst, unsigned char uc, size_t N),
	(void)dst; (void)uc; FIRE(device_copy, N))
DRV_PAIR(cuMemsetD8Async, _ptsz, (CUdeviceptr dst, unsigned char uc, size_t N, CUstream hStream),
	(void)dst; (void)uc; LATER(device_copy, N))
DRV_PAIR(cuMemsetD32_v2, _ptds, (CUdeviceptr dst, unsigned int ui, size_t N),
	(void)dst; (void)ui; FIRE(device_copy, N * 4))
DRV_PAIR(cuMemsetD32Async, _ptsz, (CUdeviceptr dst, unsigned int ui, size_t N, CUstream hStream),
	(void)dst; (void)ui; LATER(device_copy, N * 4))
