/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Communicators and collectives: which communicator a handle is, the number of
 * each operation on it, and which operations a GPU stream or CUDA event depends
 * on. NCCL orders the operations of one communicator, whatever GPU streams they
 * are on.
 */
#ifndef GPUCAUSE_NCCL_BPF_H
#define GPUCAUSE_NCCL_BPF_H

#include "functions.bpf.h"

#define NCCL_SUCCESS 0
#define NCCL_IN_PROGRESS 7
#define WHOLE_DEVICE (~0ULL) /* the handle of all GPU streams of a GPU together */
#define NO_HANDLE 3ULL	     /* of what cannot be told apart: nothing is kept of it */
#define STREAM_LEGACY 1ULL
#define STREAM_PER_THREAD 2ULL

static __always_inline bool nccl_accepted(s32 result)
{
	return result == NCCL_SUCCESS || result == NCCL_IN_PROGRESS;
}

/* The process of the calling thread uses NCCL from now on. */
static __noinline int begin_nccl(struct caller *caller)
{
	struct process *process;
	u32 tgid;

	if (!caller)
		return 0;
	caller->nccl = 1;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process || process->nccl)
		return 0;
	process->nccl = 1;
	__sync_fetch_and_add(&nccl_processes, 1);
	return 0;
}

/* Whether the calling thread's process uses NCCL: remembered once it does. */
static __noinline int uses_nccl(struct caller *caller)
{
	struct process *process;
	u32 tgid;

	if (!caller)
		return 0;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process && process->nccl)
		caller->nccl = 1;
	return caller->nccl;
}

static __always_inline void set_handle_key(struct handle_key *key, const struct caller *caller, u64 handle)
{
	key->tgid = caller->task.tgid;
	key->image = caller->image;
	key->handle = handle;
}

/*
 * Tells of a communicator: that it began, ended, or what the program was told of
 * it. more is MORE.
 */
#define MORE(serial, parent) ((u64)(parent) << 32 | (serial))
static __noinline int emit_communicator(struct caller *caller, struct frame *f, u64 handle, u64 more, u64 value)
{
	struct communicator_record *r;

	if (!caller || !f)
		return 0;
	r = reserve(sizeof(*r), record_communicator);
	if (!r)
		return 0;
	r->kind = record_communicator;
	r->probe = f->probe;
	r->reserved = 0;
	r->at_ns = bpf_ktime_get_ns();
	r->handle = handle;
	__builtin_memcpy(r->args, f->args, sizeof(r->args));
	r->serial = (u32)more;
	r->parent = more >> 32;
	r->value = value;
	__builtin_memcpy(r->identity, caller->identity, sizeof(r->identity));
	r->start_boottime_ns = caller->start_boottime_ns;
	r->task = caller->task;
	submit(r);
	return 0;
}

/* Enters a communicator under a handle; 0 when there is no room. */
static __noinline u32 enter_communicator(struct caller *caller, u64 handle)
{
	struct communicator fresh;
	struct handle_key key;

	if (!caller)
		return 0;
	fresh.serial = (u32)bpf_ktime_get_ns() | 1;
	fresh.operations = 0;
	fresh.completed = 0;
	fresh.derived = 0;
	fresh.collectives = 0;
	set_handle_key(&key, caller, handle);
	if (bpf_map_update_elem(&communicators, &key, &fresh, BPF_ANY)) {
		count(counter_full_communicators);
		return 0;
	}
	return fresh.serial;
}

static __always_inline struct communicator *find_communicator(struct caller *caller, u64 handle)
{
	struct handle_key key;

	set_handle_key(&key, caller, handle);
	return bpf_map_lookup_elem(&communicators, &key);
}

/* What a communicator is made from: a unique id, or a list of ranks. Read at entry, when it is surely there. */
static __noinline int read_identity(struct caller *caller, struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;
	u64 from = stack_args;
	u32 size = IDENTITY_SIZE;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	__builtin_memset(caller->identity, 0, sizeof(caller->identity));
	if (row->identity_slot < MAX_SLOTS)
		from = slot_value(f, row->identity_slot);
	if (row->identity_count_slot < MAX_SLOTS) {
		u32 n = (u32)slot_value(f, row->identity_count_slot);

		if (n < IDENTITY_SIZE / 4)
			size = n * 4;
	}
	if (!from || !size)
		return 0;
	if (size > IDENTITY_SIZE)
		size = IDENTITY_SIZE;
	if (bpf_probe_read_user(caller->identity, size, (void *)from))
		count(counter_user_fault);
	return 0;
}

/* Communicators that are gone are forgotten at entry: at return their handle may be another's. */
static __noinline int forget_communicator(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *known;
	struct handle_key key;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	set_handle_key(&key, caller, slot_value(f, row->comm_slot));
	known = bpf_map_lookup_elem(&communicators, &key);
	if (!known)
		return 0;
	emit_communicator(caller, f, key.handle, MORE(known->serial, 0), 0);
	bpf_map_delete_elem(&communicators, &key);
	return 0;
}

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
	else if (row->nccl_role == nccl_ends)
		forget_communicator(caller, f);
	return 0;
}

/* A communicator that the call that returned has made, under the handle that it stored. */
static __noinline int begin_communicator(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *parent;
	u64 handle = 0, parent_serial = 0, derived = 0;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->nccl_role == nccl_derives) {
		parent = find_communicator(caller, slot_value(f, row->comm_slot));
		if (parent) {
			derived = ++parent->derived;
			parent_serial = parent->serial;
		}
	}
	if (bpf_probe_read_user(&handle, sizeof(handle), (void *)slot_value(f, row->new_comm_slot))) {
		count(counter_user_fault);
		return 0;
	}
	/* A rank that a split leaves out has none. */
	if (!handle)
		return 0;
	return emit_communicator(caller, f, handle, MORE(enter_communicator(caller, handle), parent_serial), derived);
}

/* All communicators of one process at once: rank i is at index i. */
static __noinline int begin_communicators(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	u64 handle, at;
	u32 n;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	at = slot_value(f, row->new_comm_slot);
	n = (u32)slot_value(f, row->identity_count_slot);
	for (u32 i = 0; i < MAX_INIT_ALL; i++) {
		if (i >= n)
			return 0;
		if (bpf_probe_read_user(&handle, sizeof(handle), (void *)(at + i * 8))) {
			count(counter_user_fault);
			return 0;
		}
		emit_communicator(caller, f, handle, MORE(enter_communicator(caller, handle), 0), i);
	}
	if (n > MAX_INIT_ALL)
		count(counter_full_communicators);
	return 0;
}

/* What the program was told of a communicator: its rank, or how many there are. */
static __noinline int tell_communicator(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *known;
	u32 told = 0;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	known = find_communicator(caller, slot_value(f, row->comm_slot));
	if (!known)
		return 0;
	if (bpf_probe_read_user(&told, sizeof(told), (void *)slot_value(f, row->new_comm_slot))) {
		count(counter_user_fault);
		return 0;
	}
	return emit_communicator(caller, f, slot_value(f, row->comm_slot), MORE(known->serial, 0), told);
}

/*
 * What every GPU has under the same handle, that of the thread's GPU: all its GPU
 * streams together, or the legacy one (0). Where a process uses one GPU, as far as
 * seen, that is the one.
 */
static __noinline u64 of_device(struct caller *caller, u64 handle)
{
	struct process *process;
	u32 tgid;

	if (!caller)
		return NO_HANDLE;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process || process->device != SEVERAL_DEVICES)
		return handle;
	if (!caller->device)
		return NO_HANDLE;
	return handle == WHOLE_DEVICE ? WHOLE_DEVICE - caller->device : (u64)caller->device << 8 | STREAM_LEGACY;
}

/* The thread has chosen a GPU. */
static __noinline int set_device(struct caller *caller, u32 device)
{
	struct process *process;
	u32 tgid;

	if (!caller || caller->device == device + 1)
		return 0;
	caller->device = device + 1;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process && process->device != device + 1)
		process->device = process->device ? SEVERAL_DEVICES : device + 1;
	return 0;
}

/* The handle under which a GPU stream's dependencies are kept. */
static __always_inline u64 stream_handle(struct caller *caller, const volatile struct probe_row *row, u64 stream)
{
	if (stream == STREAM_PER_THREAD || (!stream && row->per_thread))
		return (u64)caller->task.tid << 8 | STREAM_PER_THREAD;
	return stream == STREAM_LEGACY || !stream ? of_device(caller, 0) : stream;
}

static __always_inline struct dependencies *dependencies_of(struct caller *caller, u64 handle)
{
	struct handle_key key;

	set_handle_key(&key, caller, handle);
	return bpf_map_lookup_elem(&edges, &key);
}

/* Empty dependencies of a handle that has none yet. */
static __noinline int enter_dependencies(struct caller *caller, u64 handle)
{
	struct handle_key key;
	u32 zero = 0;
	struct dependencies *none = bpf_map_lookup_elem(&no_dependencies, &zero);

	if (!caller || !none || handle == NO_HANDLE)
		return 0;
	set_handle_key(&key, caller, handle);
	if (bpf_map_update_elem(&edges, &key, none, BPF_NOEXIST))
		count(counter_full_dependencies);
	return 0;
}

static __always_inline struct dependencies *own_dependencies(struct caller *caller, u64 handle)
{
	struct dependencies *d = dependencies_of(caller, handle);

	if (d)
		return d;
	enter_dependencies(caller, handle);
	return dependencies_of(caller, handle);
}

/* Whether an operation is not known to be complete. */
static __noinline bool is_open(struct caller *caller, struct dependency *on)
{
	struct communicator *c;

	if (!caller || !on)
		return false;
	c = find_communicator(caller, on->comm);
	return c && c->serial == on->serial && c->completed < on->operation;
}

/* A place for one more dependency: of what is complete, or whose communicator is gone, before the oldest. */
static __always_inline struct dependency *place_in(struct caller *caller, struct dependencies *d)
{
	for (u32 i = 0; i < MAX_DEPENDENCIES; i++)
		if (!d->on[i].serial || !is_open(caller, &d->on[i]))
			return &d->on[i];
	count(counter_dependencies_lost);
	for (u32 i = 1; i < MAX_DEPENDENCIES; i++)
		d->on[i - 1] = d->on[i];
	return &d->on[MAX_DEPENDENCIES - 1];
}

/*
 * Makes work that comes later depend on an operation: the latest of each
 * communicator counts. which is its number and the communicator's serial.
 */
static __noinline int depend_on(struct caller *caller, struct dependencies *d, u64 comm, u64 which)
{
	struct dependency *place;

	if (!caller || !d)
		return 0;
	for (u32 i = 0; i < MAX_DEPENDENCIES; i++) {
		struct dependency *on = &d->on[i];

		if (on->serial == (u32)which && on->comm == comm) {
			if (on->operation < which >> 32)
				on->operation = which >> 32;
			return 0;
		}
	}
	place = place_in(caller, d);
	place->comm = comm;
	place->serial = (u32)which;
	place->operation = which >> 32;
	return 0;
}

static __noinline int merge_dependencies(struct caller *caller, struct dependencies *into, struct dependencies *from)
{
	if (!caller || !into || !from)
		return 0;
#pragma unroll
	for (int i = 0; i < MAX_DEPENDENCIES; i++)
		if (from->on[i].serial)
			depend_on(caller, into, from->on[i].comm, (u64)from->on[i].operation << 32 | from->on[i].serial);
	return 0;
}

/* An operation is on a GPU stream. */
static __noinline int note_operation(struct caller *caller, struct frame *f, u64 comm, u64 which)
{
	const volatile struct probe_row *row;
	struct dependencies *d;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	d = own_dependencies(caller, stream_handle(caller, row, slot_value(f, row->stream_slot)));
	if (d)
		depend_on(caller, d, comm, which);
	d = own_dependencies(caller, of_device(caller, WHOLE_DEVICE));
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

/* A communicator that was there before we were. */
static __noinline int begin_late(struct caller *caller, struct frame *f, u64 handle)
{
	u32 serial = enter_communicator(caller, handle);

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
		if (caller->group_depth)
			caller->group_operations++;
		note_operation(caller, f, comm, which);
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
	if (caller->group_operations)
		emit_operation(caller, f, 0, 0);
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
