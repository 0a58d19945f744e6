/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the host learns of collectives on the GPU: which operations a
 * synchronisation waits for, and when they were seen to be complete. Only in
 * processes that use NCCL.
 */
#ifndef GPUCAUSE_EDGES_BPF_H
#define GPUCAUSE_EDGES_BPF_H

#include "nccl.bpf.h"

/* The handle that a synchronisation or query is about. */
static __always_inline u64 awaited_handle(struct caller *caller, const struct frame *f, const volatile struct probe_row *row)
{
	switch (row->edge) {
	case edge_syncs_stream:
	case edge_queries_stream:
		return stream_handle(caller, row, slot_value(f, row->stream_slot), caller->device);
	case edge_syncs_event:
	case edge_queries_event:
		return slot_value(f, row->event_slot);
	default:
		return of_device(caller, WHOLE_DEVICE, caller->device);
	}
}

/* Copies between GPUs, or within one, do not wait for it. */
static __always_inline bool waits_for_gpu(const struct frame *f, const volatile struct probe_row *row)
{
	u32 kind;

	if (row->kind_slot >= MAX_SLOTS)
		return true;
	kind = slot_value(f, row->kind_slot);
	return kind == MEMCPY_HOST_TO_DEVICE || kind == MEMCPY_DEVICE_TO_HOST;
}

/* A synchronisation begins: if an operation that it covers is open, it waits for that one. */
static __noinline int enter_edge(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct dependencies *d;

	if (!caller || !f || !(caller->nccl || uses_nccl(caller)))
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->edge < edge_syncs_stream || row->edge > edge_syncs_device || !waits_for_gpu(f, row))
		return 0;
	d = dependencies_of(caller, awaited_handle(caller, f, row));
	if (!d)
		return 0;
	for (u32 i = 0; i < MAX_DEPENDENCIES; i++)
		if (open_until(caller, &d->on[i])) {
			f->collective = 1;
			f->state = ledger_collective_wait;
			return 0;
		}
	return 0;
}

/* Marks the operations that were open as complete; tells how many there were. */
static __noinline u32 complete_operations(struct caller *caller, struct dependencies *d)
{
	u32 completed = 0;

	if (!caller || !d)
		return 0;
	for (u32 i = 0; i < MAX_DEPENDENCIES; i++) {
		u32 until = open_until(caller, &d->on[i]);
		struct communicator *c;

		caller->completed[i] = until;
		if (!until)
			continue;
		c = find_communicator(caller, d->on[i].comm);
		if (c && c->completed < until)
			c->completed = until;
		completed++;
	}
	return completed;
}

static __noinline int emit_completion(struct caller *caller, struct frame *f, struct dependencies *d)
{
	struct completion_record *r;

	if (!caller || !f || !d)
		return 0;
	r = reserve(sizeof(*r), record_completion);
	if (!r)
		return 0;
	r->kind = record_completion;
	r->probe = f->probe;
	r->reserved = 0;
	r->call = f->id;
	r->start_ns = f->start_ns;
	r->end_ns = f->end_ns;
	r->pending_ns = caller->pending_handle == slot_value(f, probe_rows[f->probe & (MAX_PROBES - 1)].event_slot) ? caller->pending_ns : 0;
	for (u32 i = 0; i < MAX_DEPENDENCIES; i++) {
		r->serial[i] = d->on[i].serial;
		r->operation[i] = caller->completed[i];
	}
	r->task.tgid = caller->task.tgid;
	r->task.tid = caller->task.tid;
	bpf_get_current_comm(r->task.comm, sizeof(r->task.comm));
	submit(r);
	return 0;
}

/* The host has seen that everything that a handle depends on is complete. */
static __noinline int see_completion(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct dependencies *d;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (!waits_for_gpu(f, row))
		return 0;
	d = dependencies_of(caller, awaited_handle(caller, f, row));
	if (d && complete_operations(caller, d))
		emit_completion(caller, f, d);
	return 0;
}

/* An event depends on what its GPU stream depends on now, and on nothing else. */
static __noinline int record_event(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct dependencies *from, *to;
	u64 event;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	event = slot_value(f, row->event_slot);
	from = dependencies_of(caller, stream_handle(caller, row, slot_value(f, row->stream_slot), caller->device));
	to = from ? own_dependencies(caller, event) : dependencies_of(caller, event);
	if (!to)
		return 0;
	__builtin_memset(to, 0, sizeof(*to));
	return from ? merge_dependencies(caller, to, from) : 0;
}

static __noinline int await_event(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct dependencies *from, *to;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	from = dependencies_of(caller, slot_value(f, row->event_slot));
	if (!from)
		return 0;
	to = own_dependencies(caller, stream_handle(caller, row, slot_value(f, row->stream_slot), caller->device));
	return merge_dependencies(caller, to, from);
}

/*
 * The call that returned says what later calls of its thread are about: a GPU, or
 * a CUDA graph that is captured. A capture that fails to end has ended.
 */
static __noinline int leave_setting(struct caller *caller, struct frame *f, u32 edge)
{
	if (!caller || !f)
		return 0;
	if (edge == edge_ends_capture) {
		if (caller->captures)
			caller->captures--;
		return 0;
	}
	if (f->result)
		return 0;
	if (edge == edge_sets_device)
		return set_device(caller, (u32)slot_value(f, 0));
	caller->captures++;
	return 0;
}

/* The call that returned has ordered GPU streams, or waited for one. */
static __noinline int leave_edge(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->edge >= edge_begins_capture)
		return leave_setting(caller, f, row->edge);
	if (!(caller->nccl || uses_nccl(caller)))
		return 0;
	if (f->result) {
		if (row->edge == edge_queries_event && f->result == row->benign) {
			caller->pending_handle = slot_value(f, row->event_slot);
			caller->pending_ns = f->start_ns;
		}
		return 0;
	}
	if (row->edge == edge_records_event)
		return record_event(caller, f);
	if (row->edge == edge_awaits_event)
		return await_event(caller, f);
	return see_completion(caller, f);
}

/* Whether a call may be about collectives, some of them to come: outside of processes with NCCL a test or two. */
static __always_inline bool about_collectives(const volatile struct probe_row *row)
{
	return row->nccl_role || (row->edge && (nccl_processes || row->edge >= edge_begins_capture));
}

/* Of nested calls the outermost counts: of NCCL's, and of what orders work. */
static __noinline int enter_collectives(struct caller *caller, struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->nccl_role)
		return within(f->layers, row->layer) ? 0 : enter_nccl(caller, f, stack_args);
	return within(f->classes, row->class_id) ? 0 : enter_edge(caller, f);
}

static __noinline int leave_collectives(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->nccl_role)
		return within(f->layers, row->layer) ? 0 : leave_nccl(caller, f);
	return within(f->classes, row->class_id) ? 0 : leave_edge(caller, f);
}

#endif
