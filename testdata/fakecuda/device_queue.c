// SPDX-License-Identifier: Apache-2.0
//
// The order of work on the virtual GPU: when items of GPU streams end.
//
// While nothing on the device has an unknown end (fc_marks_any), ends are plain
// numbers. Otherwise they are made as marks, under the lock of the marks, inside
// of the lock of a stream.
#define _GNU_SOURCE
#include "device.h"

static _Atomic uint64_t blocking_end; /* of all streams that the legacy stream waits for */
static _Atomic uint64_t kernels_end;  /* of all kernels, where settings.serial */
static _Atomic uint64_t all_end;

static uint64_t later(uint64_t a, uint64_t b) { return a < b ? b : a; }

static bool excludes(enum fc_work work) { return work == fc_kernel && fc_settings.serial; }

/* What the stream's next item must wait for, besides its own queue, where every end is known. */
static uint64_t order_after(const struct CUstream_st *stream, enum fc_work work)
{
	uint64_t at = 0;
	if (stream->legacy)
		at = atomic_load_explicit(&blocking_end, memory_order_relaxed);
	else if (!stream->non_blocking)
		at = atomic_load_explicit(&fc_legacy.ready_at, memory_order_relaxed);
	return excludes(work) ? later(at, atomic_load_explicit(&kernels_end, memory_order_relaxed)) : at;
}

static void after_streams(struct fc_mark *mark, bool blocking_only)
{
	unsigned count;
	struct CUstream_st *streams = fc_streams(&count);
	for (unsigned i = 0; i < count; i++)
		if (!blocking_only || !streams[i].non_blocking)
			fc_mark_after(mark, &streams[i].ready_at);
}

/* The same where some end may not be known. */
static void mark_after(struct fc_mark *mark, const struct CUstream_st *stream, enum fc_work work)
{
	if (stream->legacy) {
		fc_mark_at_least(mark, atomic_load(&blocking_end));
		after_streams(mark, true);
	} else if (!stream->non_blocking) {
		fc_mark_after(mark, &fc_legacy.ready_at);
	}
	if (excludes(work))
		fc_mark_at_least(mark, atomic_load(&kernels_end));
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

static fc_end *next_finish(struct CUstream_st *stream)
{
	return &stream->finish[(stream->head + stream->count++) % FC_MAX_DEPTH];
}

/* What else ends not before an item of the stream; up to three, then NULL. */
static void raised_by(const struct CUstream_st *stream, enum fc_work work, _Atomic uint64_t *raised[4])
{
	*raised++ = &all_end;
	if (!stream->non_blocking)
		*raised++ = &blocking_end;
	if (excludes(work))
		*raised++ = &kernels_end;
	*raised = NULL;
}

/* Both place_* return false when the queue is full. Called with the stream locked. */
static bool place_known(struct CUstream_st *stream, const struct fc_item *item, fc_end *end)
{
	_Atomic uint64_t *raised[4];
	uint64_t after = order_after(stream, item->work);
	if (item->ns == 0 && after == 0 && stream->ready_at == 0)
		return true;
	uint64_t now = fc_now();
	retire(stream, now);
	if (stream->count >= depth())
		return false;
	uint64_t at = later(later(now, stream->ready_at), after) + item->ns;
	if (at <= now)
		return true;
	stream->ready_at = at;
	*next_finish(stream) = at;
	raised_by(stream, item->work, raised);
	for (int i = 0; raised[i] != NULL; i++)
		fc_raise(raised[i], at);
	if (end != NULL)
		*end = at;
	return true;
}

static bool place_marked(struct CUstream_st *stream, const struct fc_item *item, fc_end *end)
{
	_Atomic uint64_t *raised[4];
	uint64_t now = fc_now();
	retire(stream, now);
	if (stream->count >= depth())
		return false;
	fc_marks_lock();
	struct fc_mark *mark = fc_mark_new(item->ns, item->gate);
	fc_mark_at_least(mark, now);
	fc_mark_after(mark, &stream->ready_at);
	mark_after(mark, stream, item->work);
	fc_mark_hold(mark, &stream->ready_at);
	fc_mark_hold(mark, next_finish(stream));
	if (end != NULL)
		fc_mark_hold(mark, end);
	raised_by(stream, item->work, raised);
	for (int i = 0; raised[i] != NULL; i++)
		fc_mark_raise(mark, raised[i]);
	fc_mark_made(mark);
	fc_marks_unlock();
	return true;
}

static bool place(struct CUstream_st *stream, const struct fc_item *item, fc_end *end)
{
	if (stream->capture != NULL) {
		stream->capture->total_ns += item->ns;
		stream->capture->nodes++;
		return true;
	}
	if (item->gate == NULL && !fc_marks_any())
		return place_known(stream, item, end);
	return place_marked(stream, item, end);
}

/* Burns CPU until the end that is in the cell now has passed, or is replaced. */
static void spin_for(fc_end *cell)
{
	uint64_t end = atomic_load(cell);
	while (fc_pending(end) && atomic_load(cell) == end)
		fc_pause();
	if (!fc_pending(end))
		fc_spin_until(end);
}

void fc_submit(struct CUstream_st *stream, const struct fc_item *item, fc_end *end)
{
	if (end != NULL)
		*end = 0;
	for (;;) {
		fc_stream_lock(stream);
		bool placed = place(stream, item, end);
		fc_end *oldest = &stream->finish[stream->head];
		fc_stream_unlock(stream);
		if (placed)
			break;
		spin_for(oldest);
	}
	if (item->gate != NULL)
		fc_marks_settle();
}

bool fc_stream_over(struct CUstream_st *stream)
{
	unsigned count = 0;
	if (!fc_over(atomic_load(&stream->ready_at)))
		return false;
	if (!stream->legacy)
		return true;
	struct CUstream_st *streams = fc_streams(&count);
	if (fc_marks_any())
		for (unsigned i = 0; i < count; i++)
			if (!streams[i].non_blocking && fc_pending(streams[i].ready_at))
				return false;
	return fc_over(atomic_load(&blocking_end));
}

/* The legacy stream ends with the last of all that it waits for. */
static void legacy_end(fc_end *end)
{
	fc_marks_lock();
	struct fc_mark *mark = fc_mark_new(0, NULL);
	fc_mark_at_least(mark, atomic_load(&blocking_end));
	fc_mark_after(mark, &fc_legacy.ready_at);
	after_streams(mark, true);
	fc_mark_hold(mark, end);
	fc_mark_made(mark);
	fc_marks_unlock();
}

void fc_stream_end(struct CUstream_st *stream, fc_end *end)
{
	uint64_t own = atomic_load(&stream->ready_at);
	if (stream->legacy && fc_marks_any())
		legacy_end(end);
	else if (fc_pending(own))
		fc_end_copy(&stream->ready_at, end);
	else
		*end = stream->legacy ? later(own, atomic_load(&blocking_end)) : own;
}

void fc_stream_after(struct CUstream_st *stream, fc_end *end)
{
	fc_stream_lock(stream);
	uint64_t own = atomic_load(&stream->ready_at), other = atomic_load(end);
	if (!fc_pending(own) && !fc_pending(other)) {
		stream->ready_at = later(own, other);
	} else {
		fc_marks_lock();
		struct fc_mark *mark = fc_mark_new(0, NULL);
		fc_mark_after(mark, &stream->ready_at);
		fc_mark_after(mark, end);
		fc_mark_hold(mark, &stream->ready_at);
		fc_mark_made(mark);
		fc_marks_unlock();
	}
	fc_stream_unlock(stream);
}

void fc_device_end(fc_end *end)
{
	*end = atomic_load(&all_end);
	if (!fc_marks_any())
		return;
	fc_marks_lock();
	struct fc_mark *mark = fc_mark_new(0, NULL);
	fc_mark_at_least(mark, atomic_load(&all_end));
	fc_mark_after(mark, &fc_legacy.ready_at);
	after_streams(mark, false);
	fc_mark_hold(mark, end);
	fc_mark_made(mark);
	fc_marks_unlock();
}

/* Without the thread that would tell it, a pending end is over. */
static void forget_pending(struct CUstream_st *stream)
{
	if (!fc_pending(stream->ready_at))
		return;
	stream->ready_at = 0;
	stream->head = stream->count = 0;
}

void fc_queues_forked(void)
{
	unsigned count;
	struct CUstream_st *streams = fc_streams(&count);
	forget_pending(&fc_legacy);
	for (unsigned i = 0; i < count; i++)
		forget_pending(&streams[i]);
}
