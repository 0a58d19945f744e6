/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Launched functions: what they are called, and which launch is the first one. */
#ifndef GPUCAUSE_FUNCTIONS_BPF_H
#define GPUCAUSE_FUNCTIONS_BPF_H

#include "effects.bpf.h"

/* Tells the name of a handle, or where same_as is not 0 that it is the same function as that handle. */
static __noinline int emit_function_name(struct caller *caller, u64 handle, u64 same_as, u64 name)
{
	struct function_name_record *r;

	if (!caller)
		return 0;
	r = reserve(sizeof(*r), record_function_name);
	if (!r)
		return 0;
	r->kind = record_function_name;
	r->tgid = caller->task.tgid;
	r->tid = caller->task.tid;
	r->reserved = 0;
	r->handle = handle;
	r->same_as = same_as;
	r->name[0] = 0;
	if (!same_as && bpf_probe_read_user_str(r->name, sizeof(r->name), (void *)name) < 0) {
		count(counter_user_fault);
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	submit(r);
	return 0;
}

/*
 * Programs register thousands of functions when they start, and launch few of
 * them: a name is kept where it is, and told at the first launch.
 */
static __noinline int register_function(struct caller *caller, u64 function, u64 name)
{
	struct function_key key;

	if (!caller)
		return 0;
	key.tgid = caller->task.tgid;
	key.image = caller->image;
	key.function = function;
	if (bpf_map_update_elem(&registered, &key, &name, BPF_ANY))
		count(counter_full_registered);
	return 0;
}

static __noinline int tell_registered(struct caller *caller, struct function_key *key)
{
	u64 *name;

	if (!caller || !key)
		return 0;
	name = bpf_map_lookup_elem(&registered, key);
	if (name)
		emit_function_name(caller, key->function, 0, *name);
	return 0;
}

static __always_inline bool names_function(const volatile struct probe_row *row)
{
	return row->name_slot < MAX_SLOTS || row->same_slot < MAX_SLOTS;
}

/* What the call that returned tells of a function's name. */
static __noinline int tell_name(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	u64 handle;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	if (row->registers_slot < MAX_SLOTS)
		return register_function(caller, slot_value(f, row->registers_slot), slot_value(f, row->name_slot));
	if (bpf_probe_read_user(&handle, sizeof(handle), (void *)slot_value(f, row->name_out_slot))) {
		count(counter_user_fault);
		return 0;
	}
	return emit_function_name(caller, handle, slot_value(f, row->same_slot), slot_value(f, row->name_slot));
}

static __noinline int first_launch(struct caller *caller, u64 function)
{
	struct function_key key;
	u64 now;

	if (!caller)
		return 0;
	key.tgid = caller->task.tgid;
	key.image = caller->image;
	key.function = function;
	if (bpf_map_lookup_elem(&functions, &key))
		return 0;
	now = bpf_ktime_get_ns();
	if (!bpf_map_update_elem(&functions, &key, &now, BPF_NOEXIST)) {
		tell_registered(caller, &key);
		return 1;
	}
	if (!bpf_map_lookup_elem(&functions, &key))
		count(counter_full_functions);
	return 0;
}

static __always_inline bool is_first_launch(struct caller *caller, u64 function)
{
	u64 *seen = &caller->seen_functions[((function >> 4) ^ (function >> 12)) & (SEEN_FUNCTIONS - 1)];

	if (*seen == function)
		return false;
	*seen = function;
	return first_launch(caller, function);
}

#endif
