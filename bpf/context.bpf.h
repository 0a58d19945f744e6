/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The span that the current thread is in, as the thread publishes it in its
 * thread context (OTEP 4947), or another observer in a map that is shared. It is
 * looked for where a record is written, and nowhere else.
 */
#ifndef GPUCAUSE_CONTEXT_BPF_H
#define GPUCAUSE_CONTEXT_BPF_H

#include "state.bpf.h"

/* Set before load. */
const volatile bool shared_spans = false; /* traces_ctx_v1 is the map that is shared */
const volatile bool thread_spans = false; /* thread contexts are read */

struct shared_span {
	u8 trace_id[16];
	u8 span_id[8];
};

/* By pid_tgid. Where it is not shared it is empty. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct shared_span);
} traces_ctx_v1 SEC(".maps");

/* By tgid; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct context_place);
} context_places SEC(".maps");

/* Where the thread pointer leads to the vector of modules (glibc's tcbhead_t), and the vector itself. */
#if defined(__TARGET_ARCH_x86)
#define DTV_AT 8
#elif defined(__TARGET_ARCH_arm64)
#define DTV_AT 0
#endif
#define DTV_ENTRY 16		 /* entry 0 is a generation, entry -1 how many there are */
#define DTV_UNALLOCATED (~0ULL) /* the thread has no block of that module */

#define CONTEXT_HEAD 26 /* ids, valid, flags */

/* The current thread's pointer to its own storage, 0 where it is not known. */
static __always_inline u64 thread_pointer(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

#if defined(__TARGET_ARCH_x86)
	if (!bpf_core_field_exists(task->thread.fsbase))
		return 0;
	return task->thread.fsbase;
#elif defined(__TARGET_ARCH_arm64)
	if (!bpf_core_field_exists(task->thread.uw.tp_value))
		return 0;
	return task->thread.uw.tp_value;
#endif
}

static __always_inline void clear_span(struct active_span *span)
{
	__builtin_memset(span, 0, sizeof(*span));
}

/* Reads a word of the current process; 0 where it cannot be read. */
static __always_inline u64 read_word(u64 address)
{
	u64 word;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)address)) {
		count(counter_context_fault);
		return 0;
	}
	return word;
}

/* The current thread's block of a module, 0 where it has none. */
static __noinline u64 module_block(u64 thread, u32 module)
{
	u64 dtv = read_word(thread + DTV_AT);
	u64 block;

	if (!dtv || module > read_word(dtv - DTV_ENTRY))
		return 0;
	block = read_word(dtv + (u64)module * DTV_ENTRY);
	return block == DTV_UNALLOCATED ? 0 : block;
}

/* Where the current thread's context is, 0 for none. */
static __noinline u64 find_context(struct caller *caller)
{
	struct context_place *place;
	u64 base;
	u32 tgid;

	if (!caller)
		return 0;
	tgid = caller->task.tgid;
	place = bpf_map_lookup_elem(&context_places, &tgid);
	if (!place || place->image != caller->image)
		return 0;
	base = thread_pointer();
	if (base && place->module)
		base = module_block(base, place->module);
	return base ? read_word(base + place->offset) : 0;
}

/* Copies the head of a thread context over a span; tells whether there is a valid one. */
static __always_inline bool read_thread_span(struct caller *caller, struct active_span *to)
{
	u64 context = find_context(caller);

	if (!context)
		return false;
	if (bpf_probe_read_user(to, CONTEXT_HEAD, (void *)context))
		count(counter_context_fault);
	else if (to->source == span_source_thread)
		return true;
	clear_span(to);
	return false;
}

static __noinline int read_shared_span(struct active_span *to)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct shared_span *span;

	if (!to)
		return 0;
	span = bpf_map_lookup_elem(&traces_ctx_v1, &thread);
	if (!span)
		return 0;
	__builtin_memcpy(to->trace_id, span->trace_id, sizeof(to->trace_id));
	__builtin_memcpy(to->span_id, span->span_id, sizeof(to->span_id));
	to->source = span_source_map;
	return 0;
}

/*
 * Tells the span that the current thread is in. The thread itself knows best. Not
 * a function of its own: a call stack has at most 8 frames, and this is deep in it.
 */
static __always_inline void tell_span(struct caller *caller, struct active_span *to)
{
	if (thread_spans && read_thread_span(caller, to))
		return;
	if (shared_spans)
		read_shared_span(to);
}

#endif
