/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Off-CPU intervals of tracked threads, and the life of threads and processes. */
#ifndef GPUCAUSE_SCHED_BPF_H
#define GPUCAUSE_SCHED_BPF_H

#include "calls.bpf.h"

#define TASK_STATE_MASK 0x7f /* the sleeping and stopped states proper; 0x80 is a dying task */

/*
 * The preempt count of this CPU: bits 8-15 softirq, 16-19 hardirq, 20-23 NMI
 * (include/linux/preempt.h). On amd64 user space replaces the body before load
 * with a read of the per-CPU variable that this Linux kernel has; ~0: unknown.
 */
__weak __noinline int preempt_count(void)
{
#if defined(__TARGET_ARCH_arm64)
	return (int)bpf_get_current_task_btf()->thread_info.preempt_count;
#else
	return ~0;
#endif
}

static __always_inline s32 syscall_of(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!regs)
		return -1;
#if defined(__TARGET_ARCH_x86)
	return (s32)regs->orig_ax;
#else
	return ((struct pt_regs___syscall *)regs)->syscallno;
#endif
}

#define THREAD_SIZE 16384

/*
 * Where the preempt count cannot be read: interrupts run on a stack of their
 * own, unless they came from user mode, so a task acts itself only if this
 * program's stack is the task's and the task is in a system call. The address
 * goes through memory, where the verifier sees a number.
 */
static __always_inline u8 context_by_stack(struct thread *t, struct task_struct *current)
{
	volatile u64 here = 0;

	t->waker_sp = (u64)&here;
	asm volatile("" ::: "memory");
	if (*(volatile u64 *)&t->waker_sp - (u64)current->stack >= THREAD_SIZE)
		return waker_interrupt;
	return syscall_of(current) >= 0 ? waker_task : waker_unspecified;
}

static __always_inline u8 waker_context_now(struct thread *t, struct task_struct *current)
{
	int n = preempt_count();

	if (n == ~0)
		return context_by_stack(t, current);
	if (n & 0xff0000)
		return waker_hardirq;
	/* Bit 8: serving a softirq; the others count sections that only disable them. */
	if (n & 0x100)
		return waker_softirq;
	return waker_task;
}

/* Whether the control group of a task has used up its CPU quota, on the task's CPU. */
static __always_inline bool is_throttled(struct task_struct *task)
{
	struct cfs_rq *queue;

	if (!bpf_core_field_exists(struct sched_entity, cfs_rq) || !bpf_core_field_exists(struct cfs_rq, throttle_count))
		return false;
	queue = task->se.cfs_rq;
	return queue && queue->throttle_count > 0;
}

/* The reason that a system call stands for, reason_unspecified for none in progress. */
static __always_inline u8 syscall_reason(s32 syscall)
{
	u32 nr = syscall;

	if (nr >= 512)
		return reason_unspecified;
	/* A bound that the verifier sees, too: the compiler would drop the mask. */
	asm volatile("%0 &= 511" : "+r"(nr));
	return syscall_reasons[nr];
}

static __always_inline u8 runnable_reason(const struct thread *t)
{
	if (t->throttled)
		return reason_throttled;
	return syscall_reason(t->syscall) == reason_yield ? reason_yield : reason_preempted;
}

static __always_inline u8 reason_of(const struct thread *t)
{
	u8 reason;

	if (!t->state)
		return runnable_reason(t);
	if (t->io_wait)
		return reason_io;
	if (t->syscall < 0)
		return reason_page_fault;
	reason = syscall_reason(t->syscall);
	return reason ? reason : reason_other;
}

/* A caller is switched out: notes the innermost open call, and moves the ledger. */
static __always_inline void caller_out(struct thread *t, struct task_struct *task, u64 now)
{
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);
	struct thread_stats *stats = own_stats(t->stats);
	u32 state = ledger_runnable;
	u32 depth;

	t->call = 0;
	if (!caller || !stats)
		return;
	depth = caller->depth;
	if (t->state)
		state = reason_states[t->reason & 31];
	if (depth) {
		const struct frame *f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];

		t->call = f->id;
		if (t->state && f->blocking)
			state = f->collective ? ledger_collective_wait : ledger_gpu_wait;
		else if (t->reason == reason_yield)
			state = f->state;
	}
	ledger_switch(&stats->ledger, state, now);
}

static __always_inline void caller_in(struct thread *t, struct task_struct *task, u64 now)
{
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);
	struct thread_stats *stats = own_stats(t->stats);

	if (caller && stats)
		ledger_switch(&stats->ledger, ledger_on_cpu(caller), now);
}

static __always_inline void switch_out(void *ctx, struct task_struct *prev, struct task_struct *next, u32 prev_state)
{
	struct thread *t = bpf_task_storage_get(&threads, prev, NULL, 0);
	u64 now;

	if (!t)
		return;
	t->wake_ns = 0;
	t->waker.tid = 0;
	t->waker.tgid = 0;
	t->waker.comm[0] = 0;
	t->waker_context = waker_unspecified;
	t->state = prev_state & TASK_STATE_MASK;
	t->io_wait = BPF_CORE_READ_BITFIELD(prev, in_iowait);
	t->syscall = syscall_of(prev);
	t->throttled = !t->state && is_throttled(prev);
	t->reason = reason_of(t);
	t->stack[0] = 0;
	if (!t->state)
		set_task(&t->preemptor, next);
	else if (kernel_stacks) {
		long n = bpf_get_stack(ctx, t->stack, sizeof(t->stack), 0);

		if (n >= 0 && n < (long)sizeof(t->stack))
			t->stack[(n >> 3) & (MAX_STACK - 1)] = 0;
	}
	now = bpf_ktime_get_ns();
	t->call = 0;
	if (t->is_caller)
		caller_out(t, prev, now);
	t->out_ns = now;
}

/*
 * A thread that has just been tracked may be off its CPU: its interval is recorded
 * from now on. One that is being switched says so itself. Who waits for a CPU only
 * is not looked at: why is not known.
 */
static __always_inline void begin_blocked(struct thread *t, struct task_struct *task)
{
	u32 state = task->__state & TASK_STATE_MASK;

	if (!bpf_core_field_exists(task->on_cpu) || task->on_cpu || !state || t->out_ns)
		return;
	t->state = state;
	t->io_wait = BPF_CORE_READ_BITFIELD(task, in_iowait);
	t->syscall = syscall_of(task);
	t->reason = reason_of(t);
	t->out_ns = bpf_ktime_get_ns();
}

/*
 * Charges an interval to every open call that began before it; tells the
 * threshold for a record. A call whose job is to wait is not interrupted by
 * waiting, but by the lack of a CPU. One that yields does so to do its job: it is
 * not interrupted, and the time is its own.
 */
static __always_inline u64 charge_calls(const struct thread *t, struct task_struct *task, u64 blocked_ns, u64 runnable_ns)
{
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);
	u64 threshold = slow_off_cpu_ns;
	u32 depth;

	if (!caller)
		return threshold;
	for (u32 i = 0; i < MAX_DEPTH; i++) {
		struct frame *f = &caller->frames[i];
		u64 own;

		if (i >= caller->depth)
			break;
		if (f->start_ns > t->out_ns)
			continue;
		if (t->reason != reason_yield) {
			f->blocked_ns += blocked_ns;
			f->runnable_ns += runnable_ns;
			f->switches++;
		}
		own = probe_rows[f->probe & (MAX_PROBES - 1)].blocking ? slow_sync_ns : interruption_ns;
		if (i == 0 || own > threshold)
			threshold = own;
	}
	depth = caller->depth;
	if (depth && runnable_ns >= slow_off_cpu_ns && t->reason != reason_yield) {
		struct frame *f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];

		if (f->blocking && f->start_ns <= t->out_ns) {
			f->notable |= notable_interrupted;
			return 0;
		}
	}
	return threshold;
}

static __always_inline void count_interval(const struct thread *t, u64 blocked_ns, u64 runnable_ns)
{
	struct thread_stats *stats = bpf_map_lookup_elem(&stats_slots, &t->stats);
	u32 reason = t->reason;
	bool shared;

	if (!stats || !t->stats || reason >= reasons)
		return;
	/* A thread without calls shares its process's slot. */
	shared = !t->is_caller || t->stats < SHARED_STATS;
	add64(&stats->count[reason], 1, shared);
	if (!t->state) {
		add64(&stats->time_ns[reason], runnable_ns, shared);
		return;
	}
	add64(&stats->time_ns[reason], blocked_ns, shared);
	add64(&stats->time_ns[t->throttled ? reason_throttled : reason_run_queue], runnable_ns, shared);
	observe(&stats->run_queue, runnable_ns, shared);
}

static __always_inline u8 flags_of(const struct thread *t)
{
	u8 flags = 0;

	if (t->io_wait)
		flags |= off_cpu_io_wait;
	if (!t->state)
		flags |= off_cpu_preempted;
	if (t->throttled)
		flags |= off_cpu_throttled;
	return flags;
}

static __always_inline void emit_off_cpu(const struct thread *t, struct task_struct *prev, struct task_struct *next, u64 wake_ns, u64 now)
{
	struct off_cpu_record *r = reserve(sizeof(*r), record_off_cpu);

	if (!r)
		return;
	r->kind = record_off_cpu;
	r->syscall = t->syscall;
	r->call = t->call;
	r->start_ns = t->out_ns;
	r->wake_ns = wake_ns;
	r->end_ns = now;
	__builtin_memcpy(r->stack, t->stack, sizeof(r->stack));
	set_task(&r->task, next);
	r->waker = t->waker;
	if (t->state)
		set_task(&r->preemptor, prev);
	else
		r->preemptor = t->preemptor;
	r->state = t->state;
	r->reason = t->reason;
	r->waker_context = t->waker_context;
	r->flags = flags_of(t);
	r->reserved = 0;
	submit(r);
}

static __always_inline void switch_in(struct task_struct *prev, struct task_struct *next)
{
	struct thread *t = bpf_task_storage_get(&threads, next, NULL, 0);
	u64 now, wake_ns, threshold;

	if (!t || !t->out_ns)
		return;
	now = bpf_ktime_get_ns();
	wake_ns = t->state ? t->wake_ns : t->out_ns;
	if (wake_ns < t->out_ns || wake_ns > now)
		wake_ns = now; /* no wakeup seen: blocked for all we know */
	threshold = slow_off_cpu_ns;
	if (t->is_caller)
		threshold = charge_calls(t, next, wake_ns - t->out_ns, now - wake_ns);
	count_interval(t, wake_ns - t->out_ns, now - wake_ns);
	if (now - t->out_ns >= threshold)
		emit_off_cpu(t, prev, next, wake_ns, now);
	if (t->is_caller)
		caller_in(t, next, now);
	t->out_ns = 0;
}

static __always_inline void wake(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, NULL, 0);
	struct thread_stats *stats;
	struct task_struct *current;

	if (!t || !t->out_ns || t->wake_ns)
		return;
	current = bpf_get_current_task_btf();
	set_task(&t->waker, current);
	t->waker_context = waker_context_now(t, current);
	if (t->state)
		t->throttled = is_throttled(task);
	t->wake_ns = bpf_ktime_get_ns();
	stats = t->is_caller && t->state ? own_stats(t->stats) : NULL;
	if (stats)
		ledger_switch(&stats->ledger, ledger_runnable, t->wake_ns);
}

static __always_inline void begin_thread(struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = child->tgid;
	struct process *process;

	if (parent->tgid != child->tgid)
		return;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		track(child, process);
}

/* The current thread's state ends: it exits, or replaces its image. */
static __always_inline void end_thread(struct task_struct *task, u32 change)
{
	struct thread *t = bpf_task_storage_get(&threads, task, NULL, 0);
	struct caller *caller;

	if (!t)
		return;
	if (t->is_caller) {
		caller = bpf_task_storage_get(&callers, task, NULL, 0);
		if (caller)
			release_caller(caller);
		release_stats(t->stats);
		emit_process(task, change);
		bpf_task_storage_delete(&callers, task);
	}
	bpf_task_storage_delete(&threads, task);
}

static __always_inline void end_process(struct task_struct *task, u32 change)
{
	u32 tgid = task->tgid;
	struct process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return;
	release_stats(process->stats);
	if (process->nccl)
		__sync_fetch_and_add(&nccl_processes, -1);
	bpf_map_delete_elem(&processes, &tgid);
	if (thread_spans)
		bpf_map_delete_elem(&context_places, &tgid);
	emit_process(task, change);
}

#endif
