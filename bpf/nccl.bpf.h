/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* NCCL's calls: the number of each operation on its communicator, groups, and what calls do at entry and return. */
#ifndef GPUCAUSE_NCCL_BPF_H
#define GPUCAUSE_NCCL_BPF_H

#include "dependencies.bpf.h"

static __noinline int enter_nccl(struct caller *caller, struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (!caller->nccl)
		begin_nccl(caller);
	if (row->nccl_role == nccl_begins || row->nccl_role == nccl_derives)
		read_identity(caller, f, stack_args);
	if (cuts_short(f, row))
		cut_communicator(caller, f);
	if (row->nccl_role == nccl_ends || row->nccl_role == nccl_aborts)
		forget_communicator(caller, f);
	return 0;
}

/* Names the outermost group of the thread in its process. */
static __always_inline u64 group_of(const struct caller *caller)
{
	return (u64)caller->task.tid << 32 | (u32)caller->group;
}

/*
 * The communicator's latest operation is in a group: it is on its GPU stream when
 * that ends. Of a group with too many communicators the others' are at once.
 */
static __noinline int hold_back(struct caller *caller, struct communicator *c, u64 comm)
{
	if (!caller || !c || c->group == group_of(caller))
		return 0;
	if (caller->group_communicators >= MAX_GROUPED) {
		c->queued = c->operations;
		return 0;
	}
	c->group = group_of(caller);
	c->next = caller->group_first;
	caller->group_first = comm;
	caller->group_communicators++;
	return 0;
}

/* The group of a communicator has ended: unless it failed, its operations are queued. Returns the next one's handle. */
static __noinline u64 let_go(struct caller *caller, u64 comm, u32 failed)
{
	struct communicator *c;

	if (!caller)
		return 0;
	c = find_communicator(caller, comm);
	if (!c || c->group != group_of(caller))
		return 0;
	if (!failed)
		c->queued = c->operations;
	c->group = 0;
	return c->next;
}

static __noinline int let_all_go(struct caller *caller, u32 failed)
{
	u64 comm;

	if (!caller)
		return 0;
	comm = caller->group_first;
	for (u32 i = 0; i < MAX_GROUPED && comm; i++)
		comm = let_go(caller, comm, failed);
	caller->group_first = 0;
	caller->group_communicators = 0;
	return 0;
}

/* An operation is on a GPU stream of its communicator's GPU, whichever the thread has chosen. */
static __noinline int note_operation(struct caller *caller, struct frame *f, u64 comm, u64 which, u32 device)
{
	const volatile struct probe_row *row;
	struct dependencies *d;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	d = own_dependencies(caller, stream_handle(caller, row, slot_value(f, row->stream_slot), device));
	if (d)
		depend_on(caller, d, comm, which);
	d = own_dependencies(caller, of_device(caller, WHOLE_DEVICE, device));
	if (d)
		depend_on(caller, d, comm, which);
	return 0;
}

/* The number of a send or receive among those between the same two ranks, in that direction. */
static __noinline u64 next_of_pair(struct caller *caller, struct frame *f, u32 serial)
{
	const volatile struct probe_row *row;
	struct pair_key key;
	u64 *sequence, one = 1;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	key.tgid = caller->task.tgid;
	key.serial = serial;
	key.peer = (u32)slot_value(f, row->peer_slot);
	key.receives = row->nccl_role == nccl_receives;
	sequence = bpf_map_lookup_elem(&pairs, &key);
	if (sequence)
		return ++*sequence;
	if (!bpf_map_update_elem(&pairs, &key, &one, BPF_NOEXIST))
		return 1;
	count(counter_full_pairs);
	return 0;
}

/* Numbers the operation that the call that returned has issued, and tells it. */
static __noinline int emit_operation(struct caller *caller, struct frame *f, u64 which, u64 sequence)
{
	struct collective_record *r;
	struct thread_stats *stats;

	if (!caller || !f)
		return 0;
	stats = own_stats(caller->stats);
	r = reserve(sizeof(*r), record_collective);
	if (!r)
		return 0;
	r->kind = record_collective;
	r->probe = f->probe;
	r->captured = caller->captures != 0;
	r->start_ns = f->start_ns;
	r->end_ns = f->end_ns;
	r->group = caller->group;
	r->sequence = sequence;
	r->serial = (u32)which;
	r->operation = which >> 32;
	__builtin_memcpy(r->args, f->args, sizeof(r->args));
	r->cycle_start_ns = caller->cycle_start_ns;
	for (u32 i = 0; i < ledger_states; i++)
		r->ledger_ns[i] = stats ? stats->ledger.time_ns[i] : 0;
	r->task.tgid = caller->task.tgid;
	r->task.tid = caller->task.tid;
	bpf_get_current_comm(r->task.comm, sizeof(r->task.comm));
	r->result = f->result;
	r->launches = caller->launches_since_sync;
	submit(r);
	return 0;
}

/* A communicator that was there before we were: its GPU is not known. */
static __noinline int begin_late(struct caller *caller, struct frame *f, u64 handle)
{
	u32 serial = enter_communicator(caller, handle, 0);

	if (serial)
		emit_communicator(caller, f, handle, MORE(serial, 0), 0);
	return 0;
}

/* The call that returned has issued an operation. */
static __noinline int issue_operation(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *c;
	u64 comm, which, sequence;
	bool failed;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	comm = slot_value(f, row->comm_slot);
	failed = !nccl_accepted(f->result);
	c = find_communicator(caller, comm);
	if (!c && !failed) {
		begin_late(caller, f, comm);
		c = find_communicator(caller, comm);
	}
	if (!c)
		return 0;
	if (failed)
		return emit_operation(caller, f, c->serial, 0); /* NCCL does not count it either */
	if (row->nccl_role == nccl_collective && !slot_value(f, row->elements_slot))
		return 0; /* NCCL does nothing */
	which = (u64)++c->operations << 32 | c->serial;
	if (row->nccl_role == nccl_collective)
		sequence = ++c->collectives;
	else
		sequence = next_of_pair(caller, f, c->serial);
	if (!caller->captures) {
		if (caller->group_depth) {
			caller->group_operations++;
			hold_back(caller, c, comm);
		} else {
			c->queued = c->operations;
		}
		note_operation(caller, f, comm, which, c->device);
	}
	return emit_operation(caller, f, which, sequence);
}

/* The outermost group of the thread has ended: what was in it is queued now. */
static __noinline int end_group(struct caller *caller, struct frame *f)
{
	if (!caller || !f)
		return 0;
	if (caller->group_depth && --caller->group_depth)
		return 0;
	if (caller->group_operations) {
		emit_operation(caller, f, 0, 0);
		let_all_go(caller, !nccl_accepted(f->result));
	}
	caller->group_operations = 0;
	caller->group = 0;
	return 0;
}

/* After the ledger has moved past the call. */
static __noinline int leave_nccl(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	u8 role;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	role = row->nccl_role;
	switch (role) {
	case nccl_group_end: /* also where it fails */
		return end_group(caller, f);
	case nccl_collective:
	case nccl_sends:
	case nccl_receives:
		return issue_operation(caller, f);
	}
	if (!nccl_accepted(f->result))
		return 0;
	switch (role) {
	case nccl_group_start:
		if (!caller->group_depth++)
			caller->group = f->id;
		return 0;
	case nccl_begins:
	case nccl_derives:
		return begin_communicator(caller, f);
	case nccl_begins_all:
		return begin_communicators(caller, f);
	case nccl_tells:
		return tell_communicator(caller, f);
	}
	return 0;
}

#endif
