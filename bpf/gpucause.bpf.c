//go:build ignore

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Measures, on every thread that calls CUDA: each call, entry to return, at the
 * probed instruction of each catalogue function; each off-CPU interval, at
 * sched_switch, split at sched_waking, charged to the calls open around it.
 * Minimum: Linux 5.15 (attach cookies, bpf_task_pt_regs); uprobe-multi 6.6,
 * uprobe sessions 6.13.
 * Limits: calls nest 8 deep; a call open when its probe is attached is not seen;
 * functions of uprobe programs must stay within 48 bytes of stack, because from
 * 6.13 larger ones get a per-CPU stack on which they can be preempted.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "records.h"
#include "calls.bpf.h"
#include "sched.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keeps the shared types in BTF, from which their Go twins are generated. */
const struct {
	enum record_kind record_kind;
	enum notable notable;
	enum off_cpu_reason off_cpu_reason;
	enum off_cpu_flag off_cpu_flag;
	enum waker_context waker_context;
	enum process_change process_change;
	enum counter counter;
	enum slot_state slot_state;
	enum ledger_state ledger_state;
	enum cycle_end cycle_end;
	enum nccl_role nccl_role;
	enum edge edge;
	enum span_source span_source;
	struct cycle_record cycle;
	struct call_record call;
	struct off_cpu_record off_cpu;
	struct process_record process;
	struct function_name_record function_name;
	struct function_slot_key function_slot_key;
	struct communicator_record communicator;
	struct collective_record collective;
	struct completion_record completion;
	struct task_entry task_entry;
	struct mapping_entry mapping_entry;
} *shared_types __attribute__((unused));

/* Linux before 7.0 declares it without the parameter; user space adapts this declaration. */
extern bool bpf_session_is_return(void *ctx) __ksym __weak;

SEC("uprobe.multi")
int call_entry(struct pt_regs *ctx)
{
	return on_entry(ctx, bpf_get_attach_cookie(ctx));
}

SEC("uprobe.multi")
int call_return(struct pt_regs *ctx)
{
	return on_return(ctx, bpf_get_attach_cookie(ctx));
}

/* Returns 1 at an entry whose return is not wanted. */
SEC("uprobe.session")
int call_session(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);

	if (bpf_session_is_return(ctx))
		return on_return(ctx, cookie);
	on_entry(ctx, cookie);
	return !!(cookie & COOKIE_ENTRY_ONLY);
}

SEC("tp_btf/sched_switch")
int sched_switch(u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1];
	struct task_struct *next = (struct task_struct *)ctx[2];

	/* Only tasks with BPF storage can be tracked: for all others this is all. */
	if (prev->bpf_storage)
		switch_out(ctx, prev, next, have_prev_state ? (u32)ctx[3] : prev->__state);
	if (next->bpf_storage)
		switch_in(prev, next);
	return 0;
}

/* In the waker's context, unlike sched_wakeup. */
SEC("tp_btf/sched_waking")
int sched_waking(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if (task->bpf_storage)
		wake(task);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int process_fork(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];

	if (parent->bpf_storage)
		begin_thread(parent, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int process_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if (!task->bpf_storage)
		return 0;
	end_thread(task, thread_exited);
	end_process(task, process_executed);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if (!task->bpf_storage)
		return 0;
	end_thread(task, thread_exited);
	if (task->signal->live.counter == 0)
		end_process(task, process_exited);
	return 0;
}

/* Tracks the threads that a process had before it was adopted or followed, and tells since when. */
SEC("iter/task")
int adopt_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process *process;
	struct thread *t;
	u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process || process->start_boottime_ns != task->group_leader->start_boottime)
		return 0;
	if (bpf_task_storage_get(&threads, task, NULL, 0))
		return 0;
	t = track(task, process);
	if (!t)
		return 0;
	begin_blocked(t, task);
	emit_process(task, thread_adopted);
	return 0;
}

/* Writes one task_entry per process. */
SEC("iter/task")
int scan_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_entry entry = {};

	if (!task || task->pid != task->tgid || !task->mm)
		return 0;
	entry.tgid = task->tgid;
	entry.start_boottime_ns = task->start_boottime;
	entry.exec_pages = task->mm->exec_vm;
	bpf_seq_write(ctx->meta->seq, &entry, sizeof(entry));
	return 0;
}

#define VM_EXEC 4

/* Writes one mapping_entry per executable file mapping, with the real inode. */
SEC("iter/task_vma")
int scan_mappings(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct mapping_entry entry = {};
	struct inode *inode;

	if (!task || !vma || task->pid != task->tgid)
		return 0;
	if (!(vma->vm_flags & VM_EXEC) || !vma->vm_file)
		return 0;
	inode = vma->vm_file->f_inode;
	entry.tgid = task->tgid;
	entry.device = inode->i_sb->s_dev;
	entry.inode = inode->i_ino;
	entry.generation = inode->i_generation;
	entry.start = vma->vm_start;
	entry.end = vma->vm_end;
	entry.offset_pages = vma->vm_pgoff;
	bpf_seq_write(ctx->meta->seq, &entry, sizeof(entry));
	return 0;
}
