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
static struct CUstream_st legacy = {.lock = ATOMIC_FLAG_INIT, .alive = true, .legacy = true};
static _Atomic uint64_t blocking_end; /* of all streams that the legacy stream waits for */
static _Atomic uint64_t kernels_end;  /* of all kernels, where settings.serial */
static _Atomic uint64_t all_end;
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

static void lock_stream(struct CUstream_st *stream)
{
	for (unsigned tries = 0; atomic_flag_test_and_set_explicit(&stream->lock, memory_order_acquire); tries++) {
		if (tries > 1000)
			sched_yield();
		fc_pause();
	}
}

static void unlock_stream(struct CUstream_st *stream)
{
	atomic_flag_clear_explicit(&stream->lock, memory_order_release);
}

static void raise_to(_Atomic uint64_t *end, uint64_t at)
{
	uint64_t old = atomic_load_explicit(end, memory_order_relaxed);
	while (old < at && !atomic_compare_exchange_weak(end, &old, at))
		;
}

struct CUstream_st *fc_stream_new(bool non_blocking)
{
	pthread_once(&pools_once, make_pools);
	for (unsigned i = 0, n = atomic_load(&streams_used); i < n; i++) {
		lock_stream(&streams[i]);
		bool taken = streams[i].alive;
		if (!taken) {
			streams[i].alive = true;
			streams[i].non_blocking = non_blocking;
		}
		unlock_stream(&streams[i]);
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
	lock_stream(stream);
	stream->alive = false;
	stream->capture = NULL;
	unlock_stream(stream);
}

struct CUstream_st *fc_stream(CUstream handle, int per_thread)
{
	if (handle == CU_STREAM_LEGACY || (handle == NULL && !per_thread))
		return &legacy;
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

/* What the stream's next item must wait for, besides its own queue. */
static uint64_t order_after(const struct CUstream_st *stream, enum fc_work work)
{
	uint64_t at = 0;
	if (stream->legacy)
		at = atomic_load_explicit(&blocking_end, memory_order_relaxed);
	else if (!stream->non_blocking)
		at = legacy.ready_at;
	if (work == fc_kernel && fc_settings.serial) {
		uint64_t serial = atomic_load_explicit(&kernels_end, memory_order_relaxed);
		at = at < serial ? serial : at;
	}
	return at;
}

static void retire(struct CUstream_st *stream, uint64_t now)
{
	while (stream->count > 0 && stream->finish[stream->head] <= now) {
		stream->head = (stream->head + 1) % FC_MAX_DEPTH;
		stream->count--;
	}
	if (stream->ready_at <= now)
		stream->ready_at = 0;
}

static unsigned depth(void)
{
	unsigned long long d = fc_settings.queue_depth;
	return d == 0 ? 1 : d > FC_MAX_DEPTH ? FC_MAX_DEPTH : (unsigned)d;
}

uint64_t fc_submit(struct CUstream_st *stream, enum fc_work work, uint64_t ns)
{
	for (;;) {
		lock_stream(stream);
		if (stream->capture != NULL) {
			stream->capture->total_ns += ns;
			stream->capture->nodes++;
			unlock_stream(stream);
			return 0;
		}
		uint64_t after = order_after(stream, work);
		if (ns == 0 && after == 0 && stream->ready_at == 0) {
			unlock_stream(stream);
			return 0;
		}
		uint64_t now = fc_now();
		retire(stream, now);
		if (stream->count < depth()) {
			uint64_t start = now < stream->ready_at ? stream->ready_at : now;
			start = start < after ? after : start;
			uint64_t end = start + ns;
			if (end > now) {
				stream->ready_at = end;
				stream->finish[(stream->head + stream->count) % FC_MAX_DEPTH] = end;
				stream->count++;
				raise_to(&all_end, end);
				if (!stream->non_blocking)
					raise_to(&blocking_end, end);
				if (work == fc_kernel && fc_settings.serial)
					raise_to(&kernels_end, end);
			}
			unlock_stream(stream);
			return end > now ? end : 0;
		}
		uint64_t oldest = stream->finish[stream->head];
		unlock_stream(stream);
		fc_spin_until(oldest);
	}
}

uint64_t fc_stream_end(struct CUstream_st *stream)
{
	lock_stream(stream);
	uint64_t end = stream->ready_at;
	if (stream->legacy) {
		uint64_t others = atomic_load(&blocking_end);
		end = end < others ? others : end;
	}
	unlock_stream(stream);
	return end;
}

void fc_stream_after(struct CUstream_st *stream, uint64_t at)
{
	lock_stream(stream);
	if (stream->ready_at < at)
		stream->ready_at = at;
	unlock_stream(stream);
}

uint64_t fc_device_end(void) { return atomic_load(&all_end); }

void fc_device_forked(void)
{
	fc_timers_forked();
	unlock_stream(&legacy);
	for (unsigned i = 0; i < streams_used; i++)
		unlock_stream(&streams[i]);
}
