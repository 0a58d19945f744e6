/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Entry and return of any traced function; the attach cookie says which. */
#ifndef GPUCAUSE_CALLS_BPF_H
#define GPUCAUSE_CALLS_BPF_H

#include "state.bpf.h"

#define COOKIE_ENTRY_ONLY (1ULL << 16)

#if defined(__TARGET_ARCH_x86)
#define REGISTER_SLOTS 6
#define STACK_ARGS(ctx) (PT_REGS_SP(ctx) + 8) /* above the return address */
#define ENTRY_SP_AT_RETURN(ctx) (PT_REGS_SP(ctx) - 8)
#define STORE_REGISTER_SLOTS(a, ctx) \
	((a)[0] = (ctx)->di, (a)[1] = (ctx)->si, (a)[2] = (ctx)->dx, (a)[3] = (ctx)->cx, (a)[4] = (ctx)->r8, (a)[5] = (ctx)->r9)
#elif defined(__TARGET_ARCH_arm64)
#define REGISTER_SLOTS 8
#define STACK_ARGS(ctx) PT_REGS_SP(ctx)
#define ENTRY_SP_AT_RETURN(ctx) PT_REGS_SP(ctx)
#define X(ctx, n) (((struct user_pt_regs *)(ctx))->regs[n])
#define STORE_REGISTER_SLOTS(a, ctx) \
	((a)[0] = X(ctx, 0), (a)[1] = X(ctx, 1), (a)[2] = X(ctx, 2), (a)[3] = X(ctx, 3), \
	 (a)[4] = X(ctx, 4), (a)[5] = X(ctx, 5), (a)[6] = X(ctx, 6), (a)[7] = X(ctx, 7))
#endif
#define DEREF_AT 6 /* slots 6.. hold what the deref slot points to */

/* The argument in a slot, 0 for NO_SLOT. */
static __always_inline u64 slot_value(const struct frame *f, u8 slot)
{
	return slot < MAX_SLOTS ? f->args[slot] : 0;
}

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

/* How a call ended, in one argument: a subprogram takes five. */
#define OUTCOME(notable, result) ((u64)(notable) << 32 | (u32)(result))

/* Out of line, as everything that is rare: it keeps the callers' stacks small. */
static __noinline int emit_call(struct caller *caller, struct frame *f, u64 parent, u64 end_ns, u64 outcome)
{
	struct call_record *r;

	if (!caller || !f)
		return 0;
	r = reserve(sizeof(*r), record_call);
	if (!r)
		return 0;
	r->kind = record_call;
	r->probe = f->probe;
	r->notable = outcome >> 32;
	r->id = f->id;
	r->parent = parent;
	r->start_ns = f->start_ns;
	r->end_ns = end_ns;
	r->blocked_ns = f->blocked_ns;
	r->runnable_ns = f->runnable_ns;
	__builtin_memcpy(r->args, f->args, sizeof(r->args));
	/* A thread may rename itself: its name is read when it is told. */
	r->task.tgid = caller->task.tgid;
	r->task.tid = caller->task.tid;
	bpf_get_current_comm(r->task.comm, sizeof(r->task.comm));
	r->result = (s32)outcome;
	r->switches = f->switches;
	submit(r);
	return 0;
}

/*
 * Abandons the open calls at or below the stack pointer: their frames are gone.
 * The call was jumped out of (longjmp, an exception), or its return was not seen:
 * which, and when, is not known, so it is counted and not told.
 */
static __noinline int abandon(struct caller *caller, u64 sp)
{
	if (!caller)
		return 0;
	for (int i = 0; i < MAX_DEPTH; i++) {
		u32 depth = caller->depth;

		if (!depth || caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp > sp)
			break;
		caller->depth = depth - 1;
		count(counter_abandoned_call);
	}
	return 0;
}

/* Ends the open calls of a thread that ends: they never return. The outermost is told. */
static __noinline int abandon_all(struct caller *caller)
{
	struct frame *outermost;

	if (!caller || !caller->depth)
		return 0;
	outermost = &caller->frames[0];
	emit_call(caller, outermost, 0, bpf_ktime_get_ns(), OUTCOME(outermost->notable | notable_abandoned, 0));
	return abandon(caller, ~0ULL);
}

/* Arguments on the stack, and what a pointer argument points to. */
static __noinline int read_memory_args(struct frame *f, u64 stack_args)
{
	const volatile struct probe_row *row;
	u32 words;

	if (!f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	words = row->slots > REGISTER_SLOTS ? row->slots - REGISTER_SLOTS : 0;
	if (words) {
		if (words > MAX_SLOTS - REGISTER_SLOTS)
			words = MAX_SLOTS - REGISTER_SLOTS;
		if (bpf_probe_read_user(&f->args[REGISTER_SLOTS], words * 8, (void *)stack_args))
			count(counter_user_fault);
	}
	words = row->deref_words;
	if (words) {
		u64 from = slot_value(f, row->deref_slot);

		if (words > MAX_SLOTS - DEREF_AT)
			words = MAX_SLOTS - DEREF_AT;
		if (bpf_probe_read_user(&f->args[DEREF_AT], words * 8, (void *)from)) {
			__builtin_memset(&f->args[DEREF_AT], 0, 8 * (MAX_SLOTS - DEREF_AT));
			count(counter_user_fault);
		}
	}
	return 0;
}

static __always_inline bool within(u8 set, u8 member)
{
	return set & (1 << (member & 7));
}

/* A free is forgotten at entry: at return another thread may own the address again. */
static __noinline int forget_pointer(struct caller *caller, u64 pointer)
{
	struct pointer_key key;
	struct process *process;
	u64 *bytes;
	u32 tgid;

	if (!caller)
		return 0;
	key.tgid = tgid = caller->task.tgid;
	key.reserved = 0;
	key.pointer = pointer;
	bytes = bpf_map_lookup_elem(&pointers, &key);
	if (!bytes)
		return 0;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		__sync_fetch_and_add(&process->allocated_bytes, -*bytes);
	bpf_map_delete_elem(&pointers, &key);
	return 0;
}

/* The bytes that a call is about: one argument, or the product of two. */
static __always_inline u64 size_bytes(const struct frame *f, const volatile struct probe_row *row)
{
	u64 size = slot_value(f, row->size_slot);

	if (row->size_slot2 < MAX_SLOTS)
		size *= slot_value(f, row->size_slot2);
	return size;
}

static __noinline int remember_pointer(struct caller *caller, struct frame *f)
{
	const volatile struct probe_row *row;
	struct pointer_key key;
	struct process *process;
	u64 bytes;
	u32 tgid;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	key.tgid = tgid = caller->task.tgid;
	key.reserved = 0;
	if (bpf_probe_read_user(&key.pointer, sizeof(key.pointer), (void *)slot_value(f, row->allocates_slot))) {
		count(counter_user_fault);
		return 0;
	}
	bytes = size_bytes(f, row);
	if (bpf_map_update_elem(&pointers, &key, &bytes, BPF_ANY)) {
		count(counter_full_pointers);
		return 0;
	}
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		__sync_fetch_and_add(&process->allocated_bytes, bytes);
	return 0;
}

static __noinline int first_launch(struct caller *caller, u64 function)
{
	struct function_key key;
	u64 now;

	if (!caller)
		return 0;
	key.tgid = caller->task.tgid;
	key.reserved = 0;
	key.function = function;
	if (bpf_map_lookup_elem(&functions, &key))
		return 0;
	now = bpf_ktime_get_ns();
	if (!bpf_map_update_elem(&functions, &key, &now, BPF_NOEXIST))
		return 1;
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

static __noinline int count_error(struct caller *caller, u32 probe, s32 result)
{
	struct error_key key;
	u64 *calls, one = 1;

	if (!caller)
		return 0;
	key.tgid = caller->task.tgid;
	key.probe = probe;
	key.result = result;
	key.reserved = 0;
	key.start_boottime_ns = caller->start_boottime_ns;
	calls = bpf_map_lookup_elem(&errors, &key);
	if (!calls) {
		if (!bpf_map_update_elem(&errors, &key, &one, BPF_NOEXIST))
			return 0;
		calls = bpf_map_lookup_elem(&errors, &key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
	else
		count(counter_full_errors);
	return 0;
}

static __noinline int emit_function_name(struct caller *caller, u64 out, u64 name)
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
	if (bpf_probe_read_user(&r->handle, sizeof(r->handle), (void *)out) ||
	    bpf_probe_read_user_str(r->name, sizeof(r->name), (void *)name) < 0) {
		count(counter_user_fault);
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	submit(r);
	return 0;
}

static __always_inline int on_entry(struct pt_regs *ctx, u64 cookie)
{
	struct caller *caller = caller_of_current();
	u32 probe = cookie & (MAX_PROBES - 1);
	const volatile struct probe_row *row = &probe_rows[probe];
	u64 sp = PT_REGS_SP(ctx);
	struct frame *f;
	u32 depth;

	if (!caller)
		return 0;
	if (cookie & COOKIE_ENTRY_ONLY) {
		u32 slot = series_slot(caller, probe);
		struct call_series *s = bpf_map_lookup_elem(&series, &slot);

		if (s)
			add64(&s->entries, 1, slot < SHARED_SERIES);
		return 0;
	}
	depth = caller->depth;
	if (depth && caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp <= sp) {
		abandon(caller, sp);
		depth = caller->depth;
	}
	if (depth >= MAX_DEPTH) {
		caller->overflow++;
		count(counter_stack_overflow);
		return 0;
	}
	f = &caller->frames[depth & (MAX_DEPTH - 1)];
	f->layers = 0;
	f->classes = 0;
	if (depth) {
		const struct frame *parent = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];
		const volatile struct probe_row *of = &probe_rows[parent->probe & (MAX_PROBES - 1)];

		f->layers = parent->layers | (1 << (of->layer & 7));
		f->classes = parent->classes | (1 << (of->class_id & 7));
	}
	f->sp = sp;
	f->id = ++caller->last_id;
	f->blocked_ns = 0;
	f->runnable_ns = 0;
	f->switches = 0;
	f->notable = 0;
	f->probe = probe;
	STORE_REGISTER_SLOTS(f->args, ctx);
	if (row->slots > REGISTER_SLOTS || row->deref_words)
		read_memory_args(f, STACK_ARGS(ctx));
	if (row->frees_slot < MAX_SLOTS && !within(f->classes, row->class_id))
		forget_pointer(caller, slot_value(f, row->frees_slot));
	caller->overflow = 0;
	/* Switches from here on are charged to the call, and lie inside it. */
	f->start_ns = ~0ULL;
	*(volatile u32 *)&caller->depth = depth + 1;
	*(volatile u64 *)&f->start_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void count_bytes(struct call_series *s, const struct frame *f, const volatile struct probe_row *row, bool shared)
{
	u64 kind = row->kind_slot < MAX_SLOTS ? (u32)slot_value(f, row->kind_slot) : row->kind;
	u64 size = size_bytes(f, row);

	/* The verifier must see that what is compared is what is the index. */
	asm volatile("" : "+r"(kind));
	if (kind < MEMCPY_KINDS)
		add64(&s->bytes[kind], size, shared);
}

static __noinline int count_call(struct caller *caller, struct frame *f, u64 duration_ns)
{
	const volatile struct probe_row *row;
	struct call_series *s;
	bool shared;
	u32 slot;

	if (!caller || !f)
		return 0;
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	slot = series_slot(caller, f->probe);
	s = bpf_map_lookup_elem(&series, &slot);
	if (!s)
		return 0;
	shared = slot < SHARED_SERIES;
	observe(&s->durations, duration_ns, shared);
	if (f->switches) {
		add64(&s->interrupted, 1, shared);
		add64(&s->blocked_ns, f->blocked_ns, shared);
		add64(&s->runnable_ns, f->runnable_ns, shared);
	}
	if (row->counts_bytes && !within(f->classes, row->class_id))
		count_bytes(s, f, row, shared);
	return 0;
}

static __always_inline u16 why_notable(struct caller *caller, const struct frame *f, const volatile struct probe_row *row, u64 duration_ns, s32 result)
{
	u16 notable = f->notable;

	if (duration_ns >= (row->blocking ? slow_sync_ns : slow_call_ns))
		notable |= notable_slow;
	if (!row->blocking && f->switches && f->blocked_ns + f->runnable_ns >= interruption_ns)
		notable |= notable_interrupted;
	if (result && result != row->benign)
		notable |= notable_failed;
	if (row->function_slot < MAX_SLOTS && is_first_launch(caller, slot_value(f, row->function_slot)))
		notable |= notable_first_launch;
	if (sample_every && ++caller->countdown >= sample_every) {
		caller->countdown = 0;
		notable |= notable_sampled;
	}
	return notable;
}

/* Takes the call that returns off the stack of open calls; tells its depth, 0 for none. */
static __noinline u32 close_frame(struct caller *caller, u32 probe, u64 sp)
{
	struct frame *f;
	u32 depth;

	if (!caller)
		return 0;
	depth = caller->depth;
	if (depth && caller->frames[(depth - 1) & (MAX_DEPTH - 1)].sp < sp) {
		abandon(caller, sp - 1);
		depth = caller->depth;
	}
	f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];
	if (!depth || f->sp != sp || f->probe != probe) {
		if (caller->overflow)
			caller->overflow--;
		else
			count(counter_unmatched_return);
		return 0;
	}
	*(volatile u32 *)&caller->depth = depth - 1;
	return depth;
}

/* Counts the call that returned, and tells it if it is notable. */
static __noinline int finish_call(struct caller *caller, u32 depth, u64 now, s32 result)
{
	const volatile struct probe_row *row;
	struct frame *f, *parent;
	u64 duration_ns;
	u16 notable;

	if (!caller)
		return 0;
	f = &caller->frames[(depth - 1) & (MAX_DEPTH - 1)];
	row = &probe_rows[f->probe & (MAX_PROBES - 1)];
	duration_ns = now - f->start_ns;
	if (!within(f->layers, row->layer))
		count_call(caller, f, duration_ns);
	notable = why_notable(caller, f, row, duration_ns, result);
	if (notable & notable_failed) {
		if (!within(f->layers, row->layer))
			count_error(caller, f->probe, result);
	} else {
		if (row->allocates_slot < MAX_SLOTS && !within(f->classes, row->class_id))
			remember_pointer(caller, f);
		if (row->name_slot < MAX_SLOTS)
			emit_function_name(caller, slot_value(f, row->name_out_slot), slot_value(f, row->name_slot));
	}
	if (!notable)
		return 0;
	if (depth <= 1)
		return emit_call(caller, f, 0, now, OUTCOME(notable, result));
	parent = &caller->frames[(depth - 2) & (MAX_DEPTH - 1)];
	parent->notable |= notable_child;
	return emit_call(caller, f, parent->id, now, OUTCOME(notable, result));
}

static __always_inline int on_return(struct pt_regs *ctx, u64 cookie)
{
	u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	struct caller *caller = bpf_task_storage_get(&callers, task, NULL, 0);
	u32 depth;

	if (!caller) {
		count(counter_unmatched_return);
		return 0;
	}
	depth = close_frame(caller, cookie & (MAX_PROBES - 1), ENTRY_SP_AT_RETURN(ctx));
	if (depth)
		finish_call(caller, depth, now, (s32)PT_REGS_RC(ctx));
	return 0;
}

/* Marks what the current thread counted in as dead; user space folds and frees it. */
static __always_inline void release_caller(struct caller *caller)
{
	abandon_all(caller);
	for (u32 i = 0; i < MAX_PROBES; i++) {
		u32 slot = caller->series[i];
		struct call_series *s;

		if (slot < SHARED_SERIES)
			continue;
		s = bpf_map_lookup_elem(&series, &slot);
		if (s)
			s->state = slot_dead;
	}
}

#endif
