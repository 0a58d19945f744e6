/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a call tells besides its duration: arguments, records, memory, errors. */
#ifndef GPUCAUSE_EFFECTS_BPF_H
#define GPUCAUSE_EFFECTS_BPF_H

#include "series.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define REGISTER_SLOTS 6
#define STACK_ARGS(ctx) (PT_REGS_SP(ctx) + 8) /* above the return address */
#define ENTRY_SP_AT_RETURN(ctx) (PT_REGS_SP(ctx) - 8)
#define STORE_REGISTER_SLOTS(a, ctx) \
	((a)[0] = (ctx)->di, (a)[1] = (ctx)->si, (a)[2] = (ctx)->dx, (a)[3] = (ctx)->cx, (a)[4] = (ctx)->r8, (a)[5] = (ctx)->r9)
#elif defined(__TARGET_ARCH_arm64)
#define REGISTER_SLOTS 8
#define STACK_ARGS(ctx) PT_REGS_SP(ctx)
#define ENTRY_SP_AT_RETURN(ctx) PT_REGS_SP(ctx)
#define X(ctx, n) (((struct user_pt_regs *)(ctx))->regs[n])
#define STORE_REGISTER_SLOTS(a, ctx) \
	((a)[0] = X(ctx, 0), (a)[1] = X(ctx, 1), (a)[2] = X(ctx, 2), (a)[3] = X(ctx, 3), \
	 (a)[4] = X(ctx, 4), (a)[5] = X(ctx, 5), (a)[6] = X(ctx, 6), (a)[7] = X(ctx, 7))
#endif
#define DEREF_AT 6 /* slots 6.. hold what the deref slot points to */

/* The argument in a slot, 0 for NO_SLOT. */
static __always_inline u64 slot_value(const struct frame *f, u8 slot)
{
	return slot < MAX_SLOTS ? f->args[slot] : 0;
}

static __always_inline bool within(u8 set, u8 member)
{
	return set & (1 << (member & 7));
}

/* Out of line, as everything that is rare: it keeps the callers' stacks small. */
static __noinline int emit_call(struct caller *caller, struct frame *f, u64 parent)
{
	struct call_record *r;

	if (!caller || !f)
		return 0;
	r = reserve(sizeof(*r), record_call);
	if (!r)
		return 0;
	r->kind = record_call;
	r->probe = f->probe;
	r->notable = f->notable;
	r->id = f->id;
	r->parent = parent;
	r->start_ns = f->start_ns;
	r->end_ns = f->end_ns;
	r->blocked_ns = f->blocked_ns;
	r->runnable_ns = f->runnable_ns;
	__builtin_memcpy(r->args, f->args, sizeof(r->args));
	/* A thread may rename itself: its name is read when it is told. */
	r->task.tgid = caller->task.tgid;
	r->task.tid = caller->task.tid;
	bpf_get_current_comm(r->task.comm, sizeof(r->task.comm));
	r->result = f->result;
	r->switches = f->switches;
	clear_span(&r->span);
	if (!(f->notable & notable_abandoned))
		tell_span(caller, &r->span);
	submit(r);
	return 0;
}

/*
 * Abandons the open calls at or below the stack pointer: their frames are gone.
 * The call was jumped out of (longjmp, an exception), or its return was not seen:
 * which, and when, is not known, so it is counted and not told.
 */
static __noinline int abandon(struct caller *caller, u64 sp)
{
	if (!caller)
		return 0;
	for (int i = 0; i < MAX_DEPTH; i++) {
		u32 depth = caller->depth;

		if (!depth || caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp > sp)
			break;
		caller->depth = depth - 1;
		count(counter_abandoned_call);
	}
	return 0;
}

/* Ends the open calls of a thread that ends: they never return. The outermost is told. */
static __noinline int abandon_all(struct caller *caller)
{
	struct frame *outermost;

	if (!caller || !caller->depth)
		return 0;
	outermost = &caller->frames[0];
	outermost->end_ns = bpf_ktime_get_ns();
	outermost->result = 0;
	outermost->notable |= notable_abandoned;
	emit_call(caller, outermost, 0);
	return abandon(caller, ~0ULL);
}

/* Arguments on the stack, and what a pointer argument points to. */
static __noinline int read_memory_args(struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;
	u32 words;

	if (!f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	words = row->slots > REGISTER_SLOTS ? row->slots - REGISTER_SLOTS : 0;
	if (words) {
		if (words > MAX_SLOTS - REGISTER_SLOTS)
			words = MAX_SLOTS - REGISTER_SLOTS;
		if (bpf_probe_read_user(&f->args[REGISTER_SLOTS], words * 8, (void *)stack_args))
			count(counter_user_fault);
	}
	words = row->deref_words;
	if (words) {
		u64 from = slot_value(f, row->deref_slot);

		if (words > MAX_SLOTS - DEREF_AT)
			words = MAX_SLOTS - DEREF_AT;
		if (bpf_probe_read_user(&f->args[DEREF_AT], words * 8, (void *)from)) {
			__builtin_memset(&f->args[DEREF_AT], 0, 8 * (MAX_SLOTS - DEREF_AT));
			count(counter_user_fault);
		}
	}
	return 0;
}

/* A free is forgotten at entry: at return another thread may own the address again. */
static __noinline int forget_pointer(struct caller *caller, u64 pointer)
{
	struct pointer_key key;
	struct process *process;
	u64 *bytes;
	u32 tgid;

	if (!caller)
		return 0;
	key.tgid = tgid = caller->task.tgid;
	key.image = caller->image;
	key.pointer = pointer;
	bytes = bpf_map_lookup_elem(&pointers, &key);
	if (!bytes)
		return 0;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		__sync_fetch_and_add(&process->allocated_bytes, -*bytes);
	bpf_map_delete_elem(&pointers, &key);
	return 0;
}

/* The bytes that a call is about: one argument, or the product of two. */
static __always_inline u64 size_bytes(const struct frame *f, const volatile struct probe_row *row)
{
	u64 size = slot_value(f, row->size_slot);

	if (row->size_slot2 < MAX_SLOTS)
		size *= slot_value(f, row->size_slot2);
	return size;
}

static __noinline int remember_pointer(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct pointer_key key;
	struct process *process;
	u64 bytes;
	u32 tgid;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	key.tgid = tgid = caller->task.tgid;
	key.image = caller->image;
	if (bpf_probe_read_user(&key.pointer, sizeof(key.pointer), (void *)slot_value(f, row->allocates_slot))) {
		count(counter_user_fault);
		return 0;
	}
	bytes = size_bytes(f, row);
	if (bpf_map_update_elem(&pointers, &key, &bytes, BPF_ANY)) {
		count(counter_full_pointers);
		return 0;
	}
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		__sync_fetch_and_add(&process->allocated_bytes, bytes);
	return 0;
}

static __noinline int count_error(struct caller *caller, u32 probe, s32 result)
{
	struct error_key key;
	u64 *calls, one = 1;

	if (!caller)
		return 0;
	key.tgid = caller->task.tgid;
	key.probe = probe;
	key.result = result;
	key.reserved = 0;
	key.start_boottime_ns = caller->start_boottime_ns;
	calls = bpf_map_lookup_elem(&errors, &key);
	if (!calls) {
		if (!bpf_map_update_elem(&errors, &key, &one, BPF_NOEXIST))
			return 0;
		calls = bpf_map_lookup_elem(&errors, &key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
	else
		count(counter_full_errors);
	return 0;
}

#endif
