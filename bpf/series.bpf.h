/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a thread's calls are counted: by function, and launches by launched function where that is wanted. */
#ifndef GPUCAUSE_SERIES_BPF_H
#define GPUCAUSE_SERIES_BPF_H

#include "caller.bpf.h"

/* A probe's number as the verifier, too, can see it: the compiler would drop the mask. */
static __always_inline u32 bounded_probe(u32 probe)
{
	asm volatile("%0 &= %1" : "+r"(probe) : "i"(MAX_PROBES - 1));
	return probe;
}

/* Begins a slot of counters for the calling thread; 0 when there is none left. */
static __always_inline u32 begin_series(struct caller *caller, u32 probe, u64 function, u32 next)
{
	struct call_series *s;
	u32 slot;

	if (bpf_map_pop_elem(&free_series, &slot)) {
		count(counter_full_series);
		return 0;
	}
	s = bpf_map_lookup_elem(&series, &slot);
	if (!s)
		return 0;
	s->since_ns = bpf_ktime_get_ns();
	s->start_boottime_ns = caller->start_boottime_ns;
	s->task = caller->task;
	s->probe = probe;
	s->function = function;
	s->next = next;
	s->state = slot_live;
	return slot;
}

/* The counters of one function of this thread. A slot below SHARED_SERIES is shared. */
static __noinline u32 take_series(struct caller *caller, u32 probe)
{
	u32 slot;

	if (!caller)
		return 0;
	slot = begin_series(caller, probe, 0, 0);
	if (!slot)
		return probe;
	caller->series[bounded_probe(probe)] = slot;
	return slot;
}

static __always_inline u32 series_slot(struct caller *caller, u32 probe)
{
	u32 slot = caller->series[bounded_probe(probe)];

	return slot ? slot : take_series(caller, probe);
}

#define MAX_FUNCTION_SERIES 512 /* launched functions of one thread that are counted apart */

/* Begins to count the launches of one function apart; 0 when there is no room. */
static __noinline u32 take_function_series(struct caller *caller, u32 probe, u64 function)
{
	struct function_slot_key key;
	u32 slot;

	if (!caller || caller->function_series_count >= MAX_FUNCTION_SERIES)
		return 0;
	slot = begin_series(caller, probe, function, caller->function_series);
	if (!slot)
		return 0;
	caller->function_series = slot;
	caller->function_series_count++;
	key.tid = caller->task.tid;
	key.probe = probe;
	key.function = function;
	/* As many entries as slots: refused at worst while a thread that ended is cleared up. */
	if (bpf_map_update_elem(&function_slots, &key, &slot, BPF_ANY))
		count(counter_full_series);
	return slot;
}

/* The slot in which a launch counts. */
static __noinline u32 launch_slot(struct caller *caller, struct frame *f, u64 function)
{
	struct function_slot_key key;
	u32 *known;
	u32 slot;

	if (!caller || !f)
		return 0;
	key.tid = caller->task.tid;
	key.probe = f->probe;
	key.function = function;
	known = bpf_map_lookup_elem(&function_slots, &key);
	slot = known ? *known : take_function_series(caller, f->probe, function);
	return slot ? slot : series_slot(caller, f->probe);
}

/* Marks what the thread's launches counted in as dead. */
static __noinline int release_function_series(struct caller *caller)
{
	struct function_slot_key key;
	u32 slot;

	if (!caller)
		return 0;
	slot = caller->function_series;
	key.tid = caller->task.tid;
	for (u32 i = 0; i < MAX_FUNCTION_SERIES && slot; i++) {
		struct call_series *s = bpf_map_lookup_elem(&series, &slot);

		if (!s)
			break;
		key.probe = s->probe;
		key.function = s->function;
		slot = s->next;
		bpf_map_delete_elem(&function_slots, &key);
		s->state = slot_dead;
	}
	caller->function_series = 0;
	caller->function_series_count = 0;
	return 0;
}

#endif
