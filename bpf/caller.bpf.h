/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The thread that makes a call: its first one, and where its calls are counted. */
#ifndef GPUCAUSE_CALLER_BPF_H
#define GPUCAUSE_CALLER_BPF_H

#include "ledger.bpf.h"

static __always_inline struct process *adopt_process(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct process *process = bpf_map_lookup_elem(&processes, &tgid);
	struct process fresh;

	if (process)
		return process;
	fresh.start_boottime_ns = task->group_leader->start_boottime;
	fresh.allocated_bytes = 0;
	fresh.stats = 0;
	fresh.followed = 0;
	if (bpf_map_update_elem(&processes, &tgid, &fresh, BPF_NOEXIST))
		goto lookup;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return NULL;
	process->stats = take_stats(task, true);
	emit_process(task, process_adopted);
	return process;
lookup:
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		count(counter_full_processes);
	return process;
}

/* First traced call of a thread; out of line, it is rare. */
static __noinline int adopt_caller(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct process *process = adopt_process(task);
	struct caller *caller;
	struct thread *t;

	t = track(task, process);
	if (!t)
		return 0;
	if (process && process->followed) {
		/* It was followed as a waker; now it makes calls of its own. */
		process->followed = 0;
		process->stats = take_stats(task, true);
		emit_process(task, process_adopted);
	}
	caller = bpf_task_storage_get(&callers, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!caller) {
		count(counter_full_callers);
		return 0;
	}
	set_task(&caller->task, task);
	caller->start_boottime_ns = task->group_leader->start_boottime;
	if (!t->is_caller) {
		t->stats = take_stats(task, false);
		t->followed = 0;
		t->is_caller = 1;
	}
	caller->stats = t->stats;
	return 1;
}

static __always_inline struct caller *caller_of_current(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);

	if (caller)
		return caller;
	if (!adopt_caller())
		return NULL;
	return bpf_task_storage_get(&callers, task, NULL, 0);
}

/* A probe's number as the verifier, too, can see it: the compiler would drop the mask. */
static __always_inline u32 bounded_probe(u32 probe)
{
	asm volatile("%0 &= %1" : "+r"(probe) : "i"(MAX_PROBES - 1));
	return probe;
}

/* The counters of one function of this thread. A slot below SHARED_SERIES is shared. */
static __noinline u32 take_series(struct caller *caller, u32 probe)
{
	struct call_series *s;
	u32 slot;

	if (!caller)
		return 0;
	if (bpf_map_pop_elem(&free_series, &slot)) {
		count(counter_full_series);
		return probe;
	}
	s = bpf_map_lookup_elem(&series, &slot);
	if (!s)
		return probe;
	s->since_ns = bpf_ktime_get_ns();
	s->start_boottime_ns = caller->start_boottime_ns;
	s->task = caller->task;
	s->probe = probe;
	s->state = slot_live;
	caller->series[bounded_probe(probe)] = slot;
	return slot;
}

static __always_inline u32 series_slot(struct caller *caller, u32 probe)
{
	u32 slot = caller->series[bounded_probe(probe)];

	return slot ? slot : take_series(caller, probe);
}

#endif
