/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* NCCL's communicators: which one a handle is, how it began, and what the program was told of it. */
#ifndef GPUCAUSE_COMMUNICATORS_BPF_H
#define GPUCAUSE_COMMUNICATORS_BPF_H

#include "devices.bpf.h"

#define NCCL_SUCCESS 0
#define NCCL_IN_PROGRESS 7

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
 * Tells of a communicator: that it began, ended, was cut short, or what the program
 * was told of it. more is MORE, value that of the record, or CUT.
 */
#define MORE(serial, parent) ((u64)(parent) << 32 | (serial))
#define CUT(operations) (1ULL << 32 | (operations))
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
	r->cut = value >> 32;
	r->at_ns = bpf_ktime_get_ns();
	r->handle = handle;
	__builtin_memcpy(r->args, f->args, sizeof(r->args));
	r->serial = (u32)more;
	r->parent = more >> 32;
	r->value = (u32)value;
	__builtin_memcpy(r->identity, caller->identity, sizeof(r->identity));
	r->start_boottime_ns = caller->start_boottime_ns;
	r->task = caller->task;
	submit(r);
	return 0;
}

/* Enters a communicator of a GPU (1 + its number, 0: not known) under a handle; 0 when there is no room. */
static __noinline u32 enter_communicator(struct caller *caller, u64 handle, u32 device)
{
	struct communicator *c;
	struct handle_key key;
	u32 zero = 0;
	void *none = bpf_map_lookup_elem(&no_dependencies, &zero);

	if (!caller || !none)
		return 0;
	set_handle_key(&key, caller, handle);
	if (bpf_map_update_elem(&communicators, &key, none, BPF_ANY)) {
		count(counter_full_communicators);
		return 0;
	}
	c = bpf_map_lookup_elem(&communicators, &key);
	if (!c)
		return 0;
	c->device = device;
	c->serial = (u32)bpf_ktime_get_ns() | 1;
	return c->serial;
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

/* Whether a call ends what is open on its communicator, complete or not. */
static __always_inline bool cuts_short(const struct frame *f, const volatile struct probe_row *row)
{
	if (row->cut_slot < MAX_SLOTS)
		return slot_value(f, row->cut_slot) & SHRINK_ABORT;
	return row->nccl_role == nccl_cuts || row->nccl_role == nccl_aborts;
}

/*
 * What is open on the communicator of a call that cuts it short never completes,
 * though synchronisations with it succeed: from the entry on, for they return
 * before the call does. A call that fails may have cut nothing; then it is not
 * known of these operations when they were complete.
 */
static __noinline int cut_communicator(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *c;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	c = find_communicator(caller, slot_value(f, row->comm_slot));
	if (!c)
		return 0;
	c->completed = c->operations;
	return emit_communicator(caller, f, slot_value(f, row->comm_slot), MORE(c->serial, 0), CUT(c->operations));
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

/*
 * A communicator that the call that returned has made, under the handle that it
 * stored. Its GPU is that of its parent, or that of the thread where it has none.
 */
static __noinline int begin_communicator(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct communicator *parent;
	u64 handle = 0, parent_serial = 0, derived = 0;
	u32 device;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	device = caller->device;
	if (row->nccl_role == nccl_derives && slot_value(f, row->comm_slot)) {
		parent = find_communicator(caller, slot_value(f, row->comm_slot));
		device = parent ? parent->device : 0;
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
	return emit_communicator(caller, f, handle, MORE(enter_communicator(caller, handle, device), parent_serial), derived);
}

/* The GPU of a list, 1 + its number; 0: not known. Without a list the first is that of index 0. */
static __noinline u32 device_of_list(u64 list, u32 index)
{
	u32 device = index;

	if (list && bpf_probe_read_user(&device, sizeof(device), (void *)(list + index * 4))) {
		count(counter_user_fault);
		return 0;
	}
	return device + 1;
}

/* One of several communicators that the call that returned has made. */
static __noinline int begin_one_of(struct caller *caller, struct frame *f, u32 index)
{
	const volatile struct probe_row *row;
	u64 handle;
	u32 device;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (bpf_probe_read_user(&handle, sizeof(handle), (void *)(slot_value(f, row->new_comm_slot) + index * 8))) {
		count(counter_user_fault);
		return 0;
	}
	device = device_of_list(slot_value(f, row->devices_slot), index);
	see_device(caller, device);
	return emit_communicator(caller, f, handle, MORE(enter_communicator(caller, handle, device), 0), index);
}

/* All communicators of one process at once: rank i is at index i, on the GPU of that index. */
static __noinline int begin_communicators(struct caller *caller, struct frame *f)
{
	u32 n;

	if (!caller || !f)
		return 0;
	n = (u32)slot_value(f, probe_rows[f->probe & (MAX_PROBES - 1)].identity_count_slot);
	for (u32 i = 0; i < MAX_INIT_ALL; i++) {
		if (i >= n)
			return 0;
		begin_one_of(caller, f, i);
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

#endif
