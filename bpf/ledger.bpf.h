/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ledger of a thread that makes calls, and its dispatch cycles. */
#ifndef GPUCAUSE_LEDGER_BPF_H
#define GPUCAUSE_LEDGER_BPF_H

#include "context.bpf.h"

static __always_inline struct thread_stats *own_stats(u32 slot)
{
	/* The shared slot has many writers, so no ledger. */
	if (slot < SHARED_STATS)
		return NULL;
	return bpf_map_lookup_elem(&stats_slots, &slot);
}

static __always_inline void ledger_charge(struct ledger *l, u32 state, u64 now)
{
	u32 old = l->state;
	u64 since = l->since_ns;

	/* A switch may have moved it past the time that was read before. */
	if (now > since && old < ledger_states) {
		l->time_ns[old] += now - since;
		l->since_ns = now;
	}
	l->state = state;
}

/* Moves the ledger from a probe of the thread itself, which a switch may interrupt. */
static __always_inline void ledger_call(struct ledger *l, u32 state, u64 now)
{
	*(volatile u32 *)&l->version = l->version + 1;
	asm volatile("" ::: "memory");
	ledger_charge(l, state, now);
	asm volatile("" ::: "memory");
	*(volatile u32 *)&l->version = l->version + 1;
}

/*
 * Moves it from a context switch or a wakeup. In the middle of the thread's own
 * move it stays: the interval is then charged to the state that the thread moves to.
 */
static __always_inline void ledger_switch(struct ledger *l, u32 state, u64 now)
{
	if (*(volatile u32 *)&l->version & 1)
		return;
	ledger_call(l, state, now);
}

/* The state of a thread on a CPU. */
static __always_inline u32 ledger_on_cpu(const struct caller *caller)
{
	u32 depth = caller->depth;

	return depth ? caller->frames[(depth - 1) & (MAX_DEPTH - 1)].state : ledger_running;
}

static __noinline int begin_cycle(struct caller *caller)
{
	struct thread_stats *stats;

	if (!caller)
		return 0;
	stats = own_stats(caller->stats);
	if (!stats)
		return 0;
	stats->dispatcher = 1;
	for (u32 i = 0; i < ledger_states; i++)
		caller->cycle_ledger_ns[i] = stats->ledger.time_ns[i];
	/* Where the ledger stands: cycles meet without a gap. */
	caller->cycle_start_ns = stats->ledger.since_ns;
	caller->cycle_id++;
	caller->cycle_launches = 0;
	caller->cycle_first_launches = 0;
	caller->cycle_failed = 0;
	caller->cycle_interrupted = 0;
	caller->cycle_copied_bytes = 0;
	return 0;
}

/* Tells the cycle that ends where the ledger stands. why is the probe and the cycle_end. */
static __noinline int emit_cycle(struct caller *caller, u64 end_ns, u64 why)
{
	struct cycle_record *r;
	struct thread_stats *stats;

	if (!caller)
		return 0;
	stats = own_stats(caller->stats);
	if (!stats)
		return 0;
	r = reserve(sizeof(*r), record_cycle);
	if (!r)
		return 0;
	r->kind = record_cycle;
	r->probe = why >> 32;
	r->ended_by = (u16)why;
	r->id = caller->cycle_id;
	r->start_ns = caller->cycle_start_ns;
	r->end_ns = end_ns;
	for (u32 i = 0; i < ledger_states; i++)
		r->ledger_ns[i] = stats->ledger.time_ns[i] - caller->cycle_ledger_ns[i];
	r->copied_bytes = caller->cycle_copied_bytes;
	r->task.tgid = caller->task.tgid;
	r->task.tid = caller->task.tid;
	bpf_get_current_comm(r->task.comm, sizeof(r->task.comm));
	r->launches = caller->cycle_launches;
	r->first_launches = caller->cycle_first_launches;
	r->failed = caller->cycle_failed;
	r->interrupted = caller->cycle_interrupted;
	clear_span(&r->span);
	if ((u16)why != cycle_end_thread)
		tell_span(caller, &r->span);
	submit(r);
	return 0;
}

/* Ends the cycle of a dispatcher and begins the next. The ledger has just been moved to now. */
static __noinline int end_cycle(struct caller *caller, u64 why)
{
	struct thread_stats *stats;
	u64 end_ns, duration_ns;

	if (!caller || !caller->cycle_start_ns)
		return 0;
	stats = own_stats(caller->stats);
	if (!stats)
		return 0;
	end_ns = stats->ledger.since_ns;
	duration_ns = end_ns - caller->cycle_start_ns;
	observe(&stats->cycles, duration_ns, false);
	if (duration_ns >= min_cycle_ns || caller->cycle_failed)
		emit_cycle(caller, end_ns, why);
	begin_cycle(caller);
	return 0;
}

#define CYCLE_ENDS(probe, end) ((u64)(probe) << 32 | (end))

#endif
