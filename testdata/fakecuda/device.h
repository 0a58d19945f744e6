/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual GPU. Each GPU stream is a queue in order; work put on it at time
 * t ends at max(t, end of the work before it) + its duration, so an end is
 * known when the work is queued, but for work with a gate and what is queued
 * behind it (mark.h). The device thread ("fakegpu") exists to wake host threads
 * and to run host functions at those ends. Times are nanoseconds of
 * CLOCK_MONOTONIC.
 */
#ifndef FAKECUDA_DEVICE_H
#define FAKECUDA_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "fakecuda.h"
#include "mark.h"

#define FC_MAX_DEPTH 4096

/* Settings, from the environment (FAKECUDA_ + upper-case name) and fakecuda_set. */
struct fc_settings {
	unsigned long long spin;             /* 1: synchronisation spins, 0: blocks on a futex */
	unsigned long long queue_depth;      /* unfinished items per GPU stream before a launch spins */
	unsigned long long serial;           /* 1: kernels of all GPU streams exclude each other */
	unsigned long long copy_bytes_per_us;   /* between host and device */
	unsigned long long device_bytes_per_us; /* inside the device: copies and fills */
	unsigned long long module_load_ns;   /* CPU burnt by a module load */
	unsigned long long malloc_ns;        /* CPU burnt by an allocation */
	unsigned long long memory_bytes;     /* capacity of the device */
	unsigned long long devices;          /* ordinals that there are: all are this one device */
};
extern struct fc_settings fc_settings;

/* Invariant: finish[head .. head+count) are the ends of the unfinished items, ascending. */
struct CUstream_st {
	atomic_flag lock;
	bool alive, non_blocking, legacy;
	fc_end ready_at; /* of the last item; 0 when known to be idle */
	struct CUgraph_st *capture;
	unsigned head, count;
	fc_end finish[FC_MAX_DEPTH];
};

struct CUevent_st {
	bool alive;
	unsigned flags;
	fc_end at; /* of the recorded work; 0: never recorded */
};

struct CUgraph_st {
	uint64_t total_ns;
	unsigned nodes;
};

enum fc_work { fc_kernel, fc_copy };

/* What goes into a GPU stream. With a gate, ns is only what it counts for in a graph. */
struct fc_item {
	enum fc_work work;
	uint64_t ns;
	struct fakecuda_gate *gate;
};

static inline uint64_t fc_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void fc_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* fc_spin_until returns at `at`, having burnt CPU. */
static inline void fc_spin_until(uint64_t at)
{
	while (fc_now() < at)
		fc_pause();
}

/* Streams. A handle is 0, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD, or created;
 * fc_stream returns NULL for any other value. Created handles are the same in
 * every run: FC_STREAMS_AT + i * stride. */
struct CUstream_st *fc_stream(CUstream handle, int per_thread);
struct CUstream_st *fc_stream_new(bool non_blocking);
void fc_stream_free(struct CUstream_st *stream);
struct CUevent_st *fc_event(CUevent handle);
struct CUevent_st *fc_event_new(unsigned flags);

/* All streams that were ever created; the legacy stream is none of them. */
extern struct CUstream_st fc_legacy;
struct CUstream_st *fc_streams(unsigned *count);
void fc_stream_lock(struct CUstream_st *stream);
void fc_stream_unlock(struct CUstream_st *stream);

/* fc_submit queues an item. Spins while the queue is full. A cell that is given
 * gets the item's end; 0 when it is already over. */
void fc_submit(struct CUstream_st *stream, const struct fc_item *item, fc_end *end);
/* Whether everything on the stream so far is over, and when it ends. */
bool fc_stream_over(struct CUstream_st *stream);
void fc_stream_end(struct CUstream_st *stream, fc_end *end);
/* fc_stream_after delays later work on the stream until what *end says. */
void fc_stream_after(struct CUstream_st *stream, fc_end *end);
void fc_device_end(fc_end *end);

/* What a forked child must do before it uses the device: it has neither the
 * device thread nor the threads that held locks. */
void fc_device_forked(void);
void fc_queues_forked(void);
void fc_timers_forked(void);

/* fc_over tells whether an end has passed. */
static inline bool fc_over(uint64_t end) { return end == 0 || (!fc_pending(end) && fc_now() >= end); }

/* fc_wait returns at *end, spinning or blocked as the settings say. The cell is
 * the caller's: nobody gives it another end meanwhile. */
void fc_wait(fc_end *end);
/* fc_at runs fn(data) on the device thread at *end, a cell like that. */
void fc_at(fc_end *end, CUhostFn fn, void *data);

#endif
