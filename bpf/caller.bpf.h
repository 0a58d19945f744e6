/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The thread that makes a call: its first one. */
#ifndef GPUCAUSE_CALLER_BPF_H
#define GPUCAUSE_CALLER_BPF_H

#include "ledger.bpf.h"

/* Enters the current process; an error where it is there, or there is no room. */
static __noinline int enter_process(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct process fresh;
	u32 tgid = task->tgid;

	fresh.start_boottime_ns = task->group_leader->start_boottime;
	fresh.allocated_bytes = 0;
	fresh.stats = 0;
	fresh.followed = 0;
	fresh.image = (u32)(bpf_ktime_get_ns() >> 10);
	fresh.nccl = 0;
	fresh.device = 0;
	fresh.reserved = 0;
	return bpf_map_update_elem(&processes, &tgid, &fresh, BPF_NOEXIST);
}

static __always_inline struct process *adopt_process(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct process *process = bpf_map_lookup_elem(&processes, &tgid);
	bool entered;

	if (process)
		return process;
	entered = !enter_process();
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process) {
		count(counter_full_processes);
		return NULL;
	}
	if (entered) {
		process->stats = take_stats(task, true);
		emit_process(task, process_adopted);
	}
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
	caller->image = process ? process->image : 0;
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

#endif
