/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Entry and return of any traced function; the attach cookie says which. */
#ifndef GPUCAUSE_CALLS_BPF_H
#define GPUCAUSE_CALLS_BPF_H

#include "edges.bpf.h"

#define COOKIE_ENTRY_ONLY (1ULL << 16)

/* The call is open: the ledger moves, and a first launch makes the thread a dispatcher. */
static __always_inline int enter_ledger(struct caller *caller, struct frame *f)
{
	struct thread_stats *stats;

	if (!caller || !f)
		return 0;
	stats = own_stats(caller->stats);
	if (!stats)
		return 0;
	ledger_call(&stats->ledger, f->state, f->start_ns);
	if (!caller->cycle_start_ns && f->state == ledger_launch)
		begin_cycle(caller);
	return 0;
}

/* The call is closed: the ledger moves, and the cycle may end. */
static __noinline int leave_ledger(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct thread_stats *stats;
	u32 notable, depth;
	u64 now;

	if (!caller || !f)
		return 0;
	stats = own_stats(caller->stats);
	if (!stats)
		return 0;
	now = f->end_ns;
	notable = f->notable;
	ledger_call(&stats->ledger, ledger_on_cpu(caller), now);
	if (!caller->cycle_start_ns)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->ledger_state == ledger_launch && !within(f->classes, row->class_id)) {
		caller->cycle_launches++;
		caller->launches_since_sync++;
		if (notable & notable_first_launch)
			caller->cycle_first_launches++;
		if (f->switches)
			caller->cycle_interrupted++;
	}
	depth = caller->depth;
	if ((notable & notable_failed) && !depth)
		caller->cycle_failed++;
	if (row->blocking && (!depth || !caller->frames[(depth - 1) & (MAX_DEPTH - 1)].blocking)) {
		caller->launches_since_sync = 0;
		end_cycle(caller, CYCLE_ENDS(f->probe, cycle_end_sync));
	} else if (now - caller->cycle_start_ns > max_cycle_ns && now > caller->cycle_start_ns)
		end_cycle(caller, CYCLE_ENDS(0, cycle_end_too_long));
	return 0;
}

/* Counts a call that is seen at its entry only, in the slot. */
static __noinline int count_entry(u32 slot)
{
	struct call_series *s = bpf_map_lookup_elem(&series, &slot);

	if (s)
		add64(&s->entries, 1, slot < SHARED_SERIES);
	return 0;
}

/* A call inside another one. */
static __noinline int nest(struct frame *f, const struct frame *parent)
{
	const volatile struct probe_row *of;

	if (!f || !parent)
		return 0;
	of = &probe_rows[parent->probe & (MAX_PROBES - 1)];
	f->layers = parent->layers | (1 << (of->layer & 7));
	f->classes = parent->classes | (1 << (of->class_id & 7));
	f->blocking |= parent->blocking;
	f->collective = parent->collective;
	if (f->collective && f->state == ledger_sync_spin)
		f->state = ledger_collective_wait;
	return 0;
}

/* What a call does before it does anything else. */
static __noinline int apply_entry_effects(struct caller *caller, struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->slots > REGISTER_SLOTS || row->deref_words)
		read_memory_args(f, stack_args);
	if (row->frees_slot < MAX_SLOTS && !within(f->classes, row->class_id))
		forget_pointer(caller, slot_value(f, row->frees_slot));
	return about_collectives(row) ? enter_collectives(caller, f, stack_args) : 0;
}

static __always_inline int on_entry(struct pt_regs *ctx, u64 cookie)
{
	struct caller *caller = caller_of_current();
	u32 probe = cookie & (MAX_PROBES - 1);
	const volatile struct probe_row *row = &probe_rows[probe];
	u64 sp = PT_REGS_SP(ctx);
	struct frame *f;
	u32 depth;

	/* No room for its thread, or its storage was busy on this CPU: counted all the same. */
	if (!caller)
		return count_entry(probe);
	if (cookie & COOKIE_ENTRY_ONLY)
		return count_entry(series_slot(caller, probe));
	depth = caller->depth;
	if (depth && caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp <= sp) {
		abandon(caller, sp);
		depth = caller->depth;
	}
	if (depth >= MAX_DEPTH) {
		caller->overflow++;
		count(counter_stack_overflow);
		return 0;
	}
	f = &caller->frames[depth & (MAX_DEPTH - 1)];
	f->layers = 0;
	f->classes = 0;
	f->blocking = row->blocking;
	f->collective = 0;
	f->state = row->ledger_state;
	if (depth)
		nest(f, &caller->frames[(depth - 1) & (MAX_DEPTH - 1)]);
	f->sp = sp;
	f->id = ++caller->last_id;
	f->blocked_ns = 0;
	f->runnable_ns = 0;
	f->switches = 0;
	f->notable = 0;
	f->probe = probe;
	STORE_REGISTER_SLOTS(f->args, ctx);
	if (row->entry_effects)
		apply_entry_effects(caller, f, STACK_ARGS(ctx));
	caller->overflow = 0;
	/* Switches from here on are charged to the call, and lie inside it. */
	f->start_ns = ~0ULL;
	*(volatile u32 *)&caller->depth = depth + 1;
	*(volatile u64 *)&f->start_ns = bpf_ktime_get_ns();
	enter_ledger(caller, f);
	return 0;
}

static __always_inline void count_bytes(struct caller *caller, struct call_series *s, const struct frame *f, const volatile struct probe_row *row, bool shared)
{
	u64 kind = row->kind_slot < MAX_SLOTS ? (u32)slot_value(f, row->kind_slot) : row->kind;
	u64 size = size_bytes(f, row);

	/* The verifier must see that what is compared is what is the index. */
	asm volatile("" : "+r"(kind));
	if (kind < MEMCPY_KINDS)
		add64(&s->bytes[kind], size, shared);
	caller->cycle_copied_bytes += size;
}

static __noinline int count_call(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct call_series *s;
	bool shared;
	u32 slot;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (split_functions && row->function_slot < MAX_SLOTS)
		slot = launch_slot(caller, f, slot_value(f, row->function_slot));
	else
		slot = series_slot(caller, f->probe);
	s = bpf_map_lookup_elem(&series, &slot);
	if (!s)
		return 0;
	shared = slot < SHARED_SERIES;
	observe(&s->durations, f->end_ns - f->start_ns, shared);
	if (f->switches) {
		add64(&s->interrupted, 1, shared);
		add64(&s->blocked_ns, f->blocked_ns, shared);
		add64(&s->runnable_ns, f->runnable_ns, shared);
	}
	if (row->counts_bytes && !within(f->classes, row->class_id))
		count_bytes(caller, s, f, row, shared);
	return 0;
}

/* Why the call that returned is to be told; a set of enum notable. */
static __always_inline u32 why_notable(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	u32 notable;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	notable = f->notable;
	if (f->collective)
		notable |= notable_collective;
	if (f->end_ns - f->start_ns >= (row->blocking ? slow_sync_ns : slow_call_ns))
		notable |= notable_slow;
	if (!row->blocking && f->switches && f->blocked_ns + f->runnable_ns >= interruption_ns)
		notable |= notable_interrupted;
	if (f->result && f->result != row->benign)
		notable |= notable_failed;
	if (row->function_slot < MAX_SLOTS && is_first_launch(caller, slot_value(f, row->function_slot)))
		notable |= notable_first_launch;
	if (sample_every && ++caller->countdown >= sample_every) {
		caller->countdown = 0;
		notable |= notable_sampled;
	}
	return notable;
}

/* Takes the call that returns off the stack of open calls; tells its depth, 0 for none. */
static __always_inline u32 close_frame(struct caller *caller, u32 probe, u64 sp)
{
	struct frame *f;
	u32 depth;

	if (!caller)
		return 0;
	depth = caller->depth;
	if (depth && caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp < sp) {
		abandon(caller, sp - 1);
		depth = caller->depth;
	}
	f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];
	if (!depth || f->sp != sp || f->probe != probe) {
		if (caller->overflow)
			caller->overflow--;
		else
			count(counter_unmatched_return);
		return 0;
	}
	*(volatile u32 *)&caller->depth = depth - 1;
	return depth;
}

/* What a call that returned has done besides taking time. */
static __noinline int apply_effects(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (f->notable & notable_failed) {
		if (!within(f->layers, row->layer))
			count_error(caller, f->probe, f->result);
		return 0;
	}
	if (row->allocates_slot < MAX_SLOTS && !within(f->classes, row->class_id))
		remember_pointer(caller, f);
	if (names_function(row))
		tell_name(caller, f);
	return 0;
}

/* Tells a call, and the one around it that it contains a notable one. */
static __noinline int tell_call(struct caller *caller, struct frame *f, u32 depth)
{
	struct frame *around;

	if (!caller || !f)
		return 0;
	if (depth < 2)
		return emit_call(caller, f, 0);
	around = &caller->frames[(depth - 2) & (MAX_DEPTH - 1)];
	around->notable |= notable_child;
	return emit_call(caller, f, around->id);
}

/* Counts the call that returned, and tells it if it is notable. */
static __noinline int finish_call(struct caller *caller, u32 depth, u64 now, s32 result)
{
	const volatile struct probe_row *row;
	struct frame *f;

	if (!caller)
		return 0;
	f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];
	f->end_ns = now;
	f->result = result;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (!within(f->layers, row->layer))
		count_call(caller, f);
	f->notable = why_notable(caller, f);
	if (f->notable & notable_failed || row->allocates_slot < MAX_SLOTS || names_function(row))
		apply_effects(caller, f);
	if (f->notable)
		tell_call(caller, f, depth);
	leave_ledger(caller, f);
	return about_collectives(row) ? leave_collectives(caller, f) : 0;
}

static __always_inline int on_return(struct pt_regs *ctx, u64 cookie)
{
	u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);
	u32 depth;

	if (!caller) {
		count(counter_unmatched_return);
		return 0;
	}
	depth = close_frame(caller, cookie & (MAX_PROBES - 1), ENTRY_SP_AT_RETURN(ctx));
	if (depth)
		finish_call(caller, depth, now, (s32)PT_REGS_RC(ctx));
	return 0;
}

static __always_inline void end_ledger(struct caller *caller)
{
	struct thread_stats *stats = own_stats(caller->stats);

	if (!stats)
		return;
	ledger_call(&stats->ledger, ledger_running, bpf_ktime_get_ns());
	end_cycle(caller, CYCLE_ENDS(0, cycle_end_thread));
}

/* Marks what the current thread counted in as dead; user space folds and frees it. */
static __always_inline void release_caller(struct caller *caller)
{
	abandon_all(caller);
	end_ledger(caller);
	if (split_functions)
		release_function_series(caller);
	for (u32 i = 0; i < MAX_PROBES; i++) {
		u32 slot = caller->series[i];
		struct call_series *s;

		if (slot < SHARED_SERIES)
			continue;
		s = bpf_map_lookup_elem(&series, &slot);
		if (s)
			s->state = slot_dead;
	}
}

#endif
