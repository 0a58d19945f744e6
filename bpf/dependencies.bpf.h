/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which operations a GPU stream, a CUDA event or a whole GPU depends on. NCCL orders
 * the operations of one communicator, whatever GPU streams they are on: the latest of
 * each counts.
 */
#ifndef GPUCAUSE_DEPENDENCIES_BPF_H
#define GPUCAUSE_DEPENDENCIES_BPF_H

#include "communicators.bpf.h"

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

/*
 * Up to which operation those that a dependency is about are on their GPU streams
 * and not known to be complete; 0: none is. What is in a group that has not ended
 * is on none.
 */
static __noinline u32 open_until(struct caller *caller, struct dependency *on)
{
	struct communicator *c;
	u32 until;

	if (!caller || !on || !on->serial)
		return 0;
	c = find_communicator(caller, on->comm);
	if (!c || c->serial != on->serial)
		return 0;
	until = on->operation < c->queued ? on->operation : c->queued;
	return c->completed < until ? until : 0;
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

/* Makes work that comes later depend on what is open of what other work depends on. */
static __noinline int merge_dependencies(struct caller *caller, struct dependencies *into, struct dependencies *from)
{
	u32 until;

	if (!caller || !into || !from)
		return 0;
#pragma unroll
	for (int i = 0; i < MAX_DEPENDENCIES; i++) {
		until = open_until(caller, &from->on[i]);
		if (until)
			depend_on(caller, into, from->on[i].comm, (u64)until << 32 | from->on[i].serial);
	}
	return 0;
}

#endif
