// SPDX-License-Identifier: Apache-2.0
//
// GPU streams and CUDA events.
#define _GNU_SOURCE
#include "device.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FC_STREAMS 1024
#define FC_EVENTS 65536
#define FC_STREAMS_AT 0x600000000000ULL
#define FC_EVENTS_AT 0x610000000000ULL

static struct CUstream_st *streams;
static struct CUevent_st *events;
static _Atomic unsigned streams_used, events_used;
struct CUstream_st fc_legacy = {.lock = ATOMIC_FLAG_INIT, .alive = true, .legacy = true};
static __thread struct CUstream_st *per_thread_stream;
static pthread_once_t pools_once = PTHREAD_ONCE_INIT;

static void *pool(uint64_t at, size_t bytes)
{
	void *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

static void make_pools(void)
{
	streams = pool(FC_STREAMS_AT, FC_STREAMS * sizeof *streams);
	events = pool(FC_EVENTS_AT, FC_EVENTS * sizeof *events);
}

void fc_stream_lock(struct CUstream_st *stream)
{
	for (unsigned tries = 0; atomic_flag_test_and_set_explicit(&stream->lock, memory_order_acquire); tries++) {
		if (tries > 1000)
			sched_yield();
		fc_pause();
	}
}

void fc_stream_unlock(struct CUstream_st *stream)
{
	atomic_flag_clear_explicit(&stream->lock, memory_order_release);
}

struct CUstream_st *fc_streams(unsigned *count)
{
	*count = atomic_load(&streams_used);
	return streams;
}

struct CUstream_st *fc_stream_new(bool non_blocking)
{
	pthread_once(&pools_once, make_pools);
	for (unsigned i = 0, n = atomic_load(&streams_used); i < n; i++) {
		fc_stream_lock(&streams[i]);
		bool taken = streams[i].alive;
		if (!taken) {
			streams[i].alive = true;
			streams[i].non_blocking = non_blocking;
		}
		fc_stream_unlock(&streams[i]);
		if (!taken)
			return &streams[i];
	}
	unsigned i = atomic_fetch_add(&streams_used, 1);
	if (i >= FC_STREAMS) {
		atomic_fetch_sub(&streams_used, 1);
		return NULL;
	}
	streams[i].alive = true;
	streams[i].non_blocking = non_blocking;
	return &streams[i];
}

void fc_stream_free(struct CUstream_st *stream)
{
	fc_stream_lock(stream);
	stream->alive = false;
	stream->capture = NULL;
	fc_stream_unlock(stream);
}

struct CUstream_st *fc_stream(CUstream handle, int per_thread)
{
	if (handle == CU_STREAM_LEGACY || (handle == NULL && !per_thread))
		return &fc_legacy;
	if (handle == NULL || handle == CU_STREAM_PER_THREAD) {
		if (per_thread_stream == NULL)
			per_thread_stream = fc_stream_new(false);
		return per_thread_stream;
	}
	uintptr_t from = (uintptr_t)streams, at = (uintptr_t)handle;
	if (from == 0 || at < from || at >= from + FC_STREAMS * sizeof *streams || (at - from) % sizeof *streams != 0)
		return NULL;
	return handle->alive ? handle : NULL;
}

struct CUevent_st *fc_event_new(unsigned flags)
{
	pthread_once(&pools_once, make_pools);
	unsigned i = atomic_fetch_add(&events_used, 1), first = i;
	while (events[i % FC_EVENTS].alive)
		if (++i == first + FC_EVENTS)
			return NULL;
	struct CUevent_st *event = &events[i % FC_EVENTS];
	event->alive = true;
	event->flags = flags;
	atomic_store(&event->at, 0);
	return event;
}

struct CUevent_st *fc_event(CUevent handle)
{
	uintptr_t from = (uintptr_t)events, at = (uintptr_t)handle;
	if (from == 0 || at < from || at >= from + FC_EVENTS * sizeof *events || (at - from) % sizeof *events != 0)
		return NULL;
	return handle->alive ? handle : NULL;
}

void fc_device_forked(void)
{
	fc_timers_forked();
	fc_stream_unlock(&fc_legacy);
	for (unsigned i = 0; i < streams_used; i++)
		fc_stream_unlock(&streams[i]);
	if (!fc_marks_any())
		return;
	fc_marks_forked();
	fc_queues_forked();
	for (unsigned i = 0; i < events_used && i < FC_EVENTS; i++)
		if (fc_pending(events[i].at))
			atomic_store(&events[i].at, 0);
}
