// SPDX-License-Identifier: Apache-2.0
//
// libcuda: streams, events, synchronisation.
#include "driver.h"

static CUresult ready(bool over) { return over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY; }

DRV(cuStreamCreate, (CUstream *phStream, unsigned int flags),
	if (phStream == NULL || flags > CU_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	*phStream = fc_stream_new((flags & CU_STREAM_NON_BLOCKING) != 0);
	return *phStream == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;)

DRV(cuStreamCreateWithPriority, (CUstream *phStream, unsigned int flags, int priority),
	(void)priority;
	if (phStream == NULL || flags > CU_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	*phStream = fc_stream_new((flags & CU_STREAM_NON_BLOCKING) != 0);
	return *phStream == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;)

DRV(cuStreamDestroy_v2, (CUstream hStream),
	STREAM(hStream)
	if ((uintptr_t)hStream <= (uintptr_t)CU_STREAM_PER_THREAD)
		return CUDA_ERROR_INVALID_HANDLE;
	fc_stream_free(stream);
	return CUDA_SUCCESS;)

DRV_PAIR(cuStreamSynchronize, _ptsz, (CUstream hStream),
	STREAM(hStream)
	if (!fc_stream_over(stream)) {
		fc_end end;
		fc_stream_end(stream, &end);
		fc_wait(&end);
	}
	return CUDA_SUCCESS;)

DRV_PAIR(cuStreamQuery, _ptsz, (CUstream hStream), STREAM(hStream) return ready(fc_stream_over(stream));)

static CUresult synchronize(void)
{
	fc_end end;
	fc_device_end(&end);
	fc_wait(&end);
	return CUDA_SUCCESS;
}

DRV(cuCtxSynchronize, (void), return synchronize();)
DRV(cuCtxSynchronize_v2, (CUcontext ctx), (void)ctx; return synchronize();)

DRV_PAIR(cuStreamWaitEvent, _ptsz, (CUstream hStream, CUevent hEvent, unsigned int flags),
	STREAM(hStream)
	(void)flags;
	if (fc_event(hEvent) == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	fc_stream_after(stream, &hEvent->at);
	return CUDA_SUCCESS;)

static CUresult record(CUevent event, struct CUstream_st *stream)
{
	if (fc_event(event) == NULL || stream == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	fc_stream_end(stream, &event->at);
	uint64_t now = fc_now();
	if (atomic_load(&event->at) < now)
		event->at = now;
	return CUDA_SUCCESS;
}

DRV_PAIR(cuEventRecord, _ptsz, (CUevent hEvent, CUstream hStream),
	return record(hEvent, fc_stream(hStream, per_thread));)
DRV_PAIR(cuEventRecordWithFlags, _ptsz, (CUevent hEvent, CUstream hStream, unsigned int flags),
	(void)flags;
	return record(hEvent, fc_stream(hStream, per_thread));)

DRV(cuEventQuery, (CUevent hEvent), 
	return fc_event(hEvent) == NULL ? CUDA_ERROR_INVALID_HANDLE : ready(fc_over(hEvent->at));)

DRV(cuEventSynchronize, (CUevent hEvent),
	if (fc_event(hEvent) == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!fc_over(hEvent->at)) {
		fc_end end;
		fc_end_copy(&hEvent->at, &end);
		fc_wait(&end);
	}
	return CUDA_SUCCESS;)

DRV(cuEventElapsedTime, (float *ms, CUevent start, CUevent end),
	if (ms == NULL || fc_event(start) == NULL || fc_event(end) == NULL || start->at == 0 || end->at == 0)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!fc_over(start->at) || !fc_over(end->at))
		return CUDA_ERROR_NOT_READY;
	*ms = (float)((double)(int64_t)(end->at - start->at) / 1e6);
	return CUDA_SUCCESS;)

DRV(cuEventCreate, (CUevent *phEvent, unsigned int flags),
	if (phEvent == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*phEvent = fc_event_new(flags);
	return *phEvent == NULL ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;)

DRV(cuEventDestroy_v2, (CUevent hEvent),
	if (fc_event(hEvent) == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	hEvent->alive = false;
	return CUDA_SUCCESS;)
