/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Everything that the programs and user space share: records of the ring buffer,
 * counters in memory-mapped arrays, rows of the probe table. The Go twins are
 * generated from here. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef GPUCAUSE_RECORDS_H
#define GPUCAUSE_RECORDS_H

#define MAX_SLOTS 12   /* argument slots stored per call */
#define MAX_STACK 16   /* Linux kernel frames per off-CPU record */
#define MAX_DEPTH 8    /* open calls per thread */
#define MAX_PROBES 256 /* rows of the probe table */
#define COMM_SIZE 16
#define NAME_SIZE 1024
#define MEMCPY_KINDS 5
#define MEMCPY_HOST_TO_DEVICE 1
#define MEMCPY_DEVICE_TO_HOST 2
#define NO_SLOT 0xff
#define MAX_DEPENDENCIES 4 /* communicators that a GPU stream or CUDA event depends on */
#define MAX_INIT_ALL 16    /* communicators that one call makes */
#define MAX_GROUPED 64	   /* communicators with operations in a group */
#define IDENTITY_SIZE 128  /* ncclUniqueId */
#define SHRINK_ABORT 1	   /* NCCL_SHRINK_ABORT, nccl.h 2.27 */

#define HISTOGRAM_BUCKETS 288

enum record_kind {
	record_unspecified,
	record_call,
	record_off_cpu,
	record_process,
	record_function_name,
	record_cycle,
	record_communicator,
	record_collective,
	record_completion,
	record_kinds,
};

/* Why a call became a record; a set. */
enum notable {
	notable_slow = 1 << 0,
	notable_interrupted = 1 << 1,
	notable_failed = 1 << 2,
	notable_first_launch = 1 << 3,
	notable_sampled = 1 << 4,
	notable_child = 1 << 5,
	notable_abandoned = 1 << 6,
	notable_collective = 1 << 7,
};

enum off_cpu_reason {
	reason_unspecified,
	reason_preempted,
	reason_run_queue,
	reason_futex,
	reason_io,
	reason_poll,
	reason_read,
	reason_socket,
	reason_sleep,
	reason_yield,
	reason_page_fault,
	reason_ioctl,
	reason_wait,
	reason_signal,
	reason_memory_map,
	reason_other,
	reason_pipe,
	reason_rwsem,
	reason_throttled,
	reasons,
};

enum waker_context {
	waker_unspecified,
	waker_task,
	waker_softirq,
	waker_hardirq,
	waker_interrupt, /* one of the two: which is not known */
};

enum process_change {
	process_change_unspecified,
	process_adopted,
	process_executed,
	thread_exited,
	process_exited,
	thread_adopted, /* a thread that was there before its process was traced */
};

/* What a dispatcher does with its wall time: exactly one of these at every instant. */
enum ledger_state {
	ledger_running, /* host code on a CPU, outside any call */
	ledger_launch,  /* on a CPU inside a call, of nested ones the innermost */
	ledger_memcpy,
	ledger_memory,
	ledger_module_load,
	ledger_collective,
	ledger_other_call,
	ledger_sync_spin,
	ledger_gpu_wait, /* blocked inside a blocking call */
	ledger_lock,
	ledger_io,
	ledger_input_wait,
	ledger_sleep,
	ledger_page_fault,
	ledger_driver,
	ledger_blocked_other,
	ledger_runnable,
	ledger_collective_wait, /* waiting, blocked or on a CPU, for a collective that is not known to be complete */
	ledger_states,
};

enum cycle_end {
	cycle_end_unspecified,
	cycle_end_sync,
	cycle_end_too_long,
	cycle_end_thread,
};

/* Losses and oddities, by index into the array `counters`. */
enum counter {
	counter_drop, /* + enum record_kind: the ring buffer had no room */
	counter_unmatched_return = counter_drop + record_kinds,
	counter_abandoned_call,
	counter_stack_overflow,
	counter_user_fault,
	counter_full_threads,
	counter_full_callers,
	counter_full_processes,
	counter_full_series,
	counter_full_thread_stats,
	counter_full_functions,
	counter_full_pointers,
	counter_full_errors,
	counter_full_registered,
	counter_full_communicators,
	counter_full_pairs,
	counter_full_dependencies,
	counter_dependencies_lost,
	counter_context_fault, /* memory that a thread context points to could not be read */
	counters_size,
};

/* What a function of NCCL does. */
enum nccl_role {
	nccl_none,
	nccl_collective,
	nccl_sends,
	nccl_receives,
	nccl_group_start,
	nccl_group_end,
	nccl_begins,     /* makes a communicator from a unique id */
	nccl_begins_all, /* makes all communicators of a process */
	nccl_derives,    /* makes a communicator from another */
	nccl_ends,       /* frees a communicator when what is open on it is complete */
	nccl_cuts,       /* ends what is open on a communicator, complete or not */
	nccl_aborts,     /* cuts, and frees it */
	nccl_tells, /* tells the program its rank or the number of ranks */
};

/* What a call says of the order of work on the GPU. */
enum edge {
	edge_none,
	edge_records_event,
	edge_awaits_event,
	edge_syncs_stream,
	edge_syncs_event,
	edge_syncs_device,
	edge_queries_stream,
	edge_queries_event,
	edge_begins_capture,
	edge_ends_capture,
	edge_sets_device,
};

/* States of a counter slot; user space alone takes a slot from dead to free. */
enum slot_state {
	slot_free,
	slot_live,
	slot_dead, /* its thread is gone: no more increments */
};

struct task_ref {
	u32 tgid;
	u32 tid;
	u8 comm[COMM_SIZE];
};

/* Who says which span a thread is in. */
enum span_source {
	span_source_none,
	span_source_thread, /* the thread itself, in its thread context: the value of a valid one's member valid */
	span_source_map,    /* another observer, in the map that is shared */
};

/* The span that a thread is in. The first 26 bytes are laid out as in a thread context (OTEP 4947). */
struct active_span {
	u8 trace_id[16];
	u8 span_id[8];
	u8 source;
	u8 flags; /* W3C trace flags, of span_source_thread */
	u8 reserved[6];
};
_Static_assert(sizeof(struct active_span) == 32, "active_span");

/*
 * Where the threads of a process keep the pointer to their thread context: at an
 * offset from the thread pointer or, in a module that has no fixed place there, in
 * the block that the thread's vector of modules (dtv, as glibc has it) points to.
 */
struct context_place {
	u64 offset;
	u32 module; /* 0: the offset is from the thread pointer */
	u32 image;  /* of the program that it holds for */
};

struct call_record {
	u32 kind;
	u16 probe;
	u16 notable;
	u64 id;     /* per thread, from 1 */
	u64 parent; /* id of the enclosing call, 0 if none */
	u64 start_ns;
	u64 end_ns;
	u64 blocked_ns;
	u64 runnable_ns;
	u64 args[MAX_SLOTS];
	struct task_ref task;
	s32 result;
	u32 switches;
	struct active_span span; /* at its return */
};
_Static_assert(sizeof(struct call_record) == 216, "call_record");

/* What else there is to say of an off-CPU interval; a set. */
enum off_cpu_flag {
	off_cpu_io_wait = 1 << 0,
	off_cpu_preempted = 1 << 1, /* still runnable at switch-out */
	off_cpu_throttled = 1 << 2, /* its control group had used up its CPU quota when it became runnable */
};

struct off_cpu_record {
	u32 kind;
	s32 syscall; /* -1 when the thread was interrupted in user mode */
	u64 call;    /* id of the innermost open call, 0 outside calls */
	u64 start_ns;
	u64 wake_ns; /* start_ns when it was runnable throughout, end_ns when no wakeup was seen */
	u64 end_ns;
	u64 stack[MAX_STACK]; /* innermost first, zero-terminated */
	struct task_ref task;
	struct task_ref waker;     /* tid 0: no wakeup seen */
	struct task_ref preemptor; /* tid 0: the idle task */
	u32 state;
	u8 reason;
	u8 waker_context;
	u8 flags;
	u8 reserved;
};
_Static_assert(sizeof(struct off_cpu_record) == 248, "off_cpu_record");

struct process_record {
	u32 kind;
	u32 change;
	u64 at_ns;
	u64 start_boottime_ns;
	struct task_ref task;
};
_Static_assert(sizeof(struct process_record) == 48, "process_record");

/* What a function handle is called, or which other handle of the process is the same function. */
struct function_name_record {
	u32 kind;
	u32 tgid;
	u32 tid;
	u32 reserved;
	u64 handle;
	u64 same_as; /* 0: name holds */
	u8 name[NAME_SIZE];
};
_Static_assert(sizeof(struct function_name_record) == 1056, "function_name_record");

/* One dispatch cycle of a dispatcher; the ledger sums to its length. */
struct cycle_record {
	u32 kind;
	u16 probe;
	u16 ended_by;
	u64 id;
	u64 start_ns;
	u64 end_ns;
	u64 ledger_ns[ledger_states];
	u64 copied_bytes;
	struct task_ref task;
	u32 launches;
	u32 first_launches;
	u32 failed;
	u32 interrupted; /* launches */
	struct active_span span; /* at its end */
};
_Static_assert(sizeof(struct cycle_record) == 256, "cycle_record");

/* A communicator begins, ends, is cut short, is met for the first time, or is told of. */
struct communicator_record {
	u32 kind;
	u16 probe;
	u16 cut; /* its operations up to value do not complete any more */
	u64 at_ns;
	u64 handle;
	u64 args[MAX_SLOTS];
	u64 value; /* derived: the how-manieth child of its parent; one of several: its index; told: what; cut: so many operations */
	u64 start_boottime_ns;
	u32 serial; /* 0: no room for it */
	u32 parent; /* serial */
	u8 identity[IDENTITY_SIZE]; /* unique id or list of ranks */
	struct task_ref task;
};
_Static_assert(sizeof(struct communicator_record) == 296, "communicator_record");

/* An operation that was issued, or the end of a group of them (serial 0). */
struct collective_record {
	u32 kind;
	u16 probe;
	u16 captured; /* into a CUDA graph: nothing was queued */
	u64 start_ns;
	u64 end_ns;
	u64 group; /* id of the call that began the outermost group, 0 outside of groups */
	u64 sequence; /* among the collectives of its communicator, or the sends or receives with its peer; 0: not known */
	u32 serial;    /* of the communicator */
	u32 operation; /* number among all operations of the communicator */
	u64 args[MAX_SLOTS];
	u64 cycle_start_ns; /* of the dispatch cycle that it is in, 0: none */
	u64 ledger_ns[ledger_states]; /* of the thread, since it began */
	struct task_ref task;
	s32 result;
	u32 launches; /* of the thread since its latest synchronisation */
};
_Static_assert(sizeof(struct collective_record) == 328, "collective_record");

/* The host has seen that operations are complete, all of a communicator up to a number. */
struct completion_record {
	u32 kind;
	u16 probe;
	u16 reserved;
	u64 call; /* id */
	u64 start_ns;
	u64 end_ns;
	u64 pending_ns; /* of a query: start of the latest one of the thread that found it pending, 0: none */
	u32 serial[MAX_DEPENDENCIES]; /* 0: none */
	u32 operation[MAX_DEPENDENCIES]; /* 0: none of it was open */
	struct task_ref task;
};
_Static_assert(sizeof(struct completion_record) == 96, "completion_record");

/* Durations by bucket; user space knows the bounds, it has set them. */
struct histogram {
	u64 sum_ns;
	u32 zero;
	u32 last; /* bucket of the last value: the next is often alike */
	u32 buckets[HISTOGRAM_BUCKETS];
};

/* The calls of one function by one thread, or of those the ones that launch one GPU function. */
struct call_series {
	u64 since_ns;
	u64 function; /* launched function; 0: any without a slot of its own */
	u64 start_boottime_ns; /* of the process */
	u64 interrupted;
	u64 blocked_ns;
	u64 runnable_ns;
	u64 entries; /* seen at entry only */
	u64 bytes[MEMCPY_KINDS];
	struct task_ref task;
	u32 state;
	u32 probe;
	u32 next; /* slot of another launched function of the thread, 0: none */
	u32 reserved;
	struct histogram durations;
};
_Static_assert(sizeof(struct call_series) == 1304, "call_series");

/*
 * A thread's wall time by state. version is odd while a call's probe moves it: a
 * context switch in that moment leaves it alone, and a reader tries again. The
 * times and now - since_ns sum to the wall time since it began, whatever happens.
 */
struct ledger {
	u32 version;
	u32 state;
	u64 since_ns;
	u64 time_ns[ledger_states];
};

/* The off-CPU intervals of one thread, or of a process's threads without calls (tid 0). */
struct thread_stats {
	u64 since_ns;
	u64 start_boottime_ns;
	u64 time_ns[reasons];
	u64 count[reasons];
	struct task_ref task;
	u32 state;
	u32 dispatcher; /* it has launched */
	struct histogram run_queue;
	struct histogram cycles; /* durations of dispatch cycles */
	struct ledger ledger;
};
_Static_assert(sizeof(struct thread_stats) == 1520 + 1168 + 160, "thread_stats");

struct process {
	u64 start_boottime_ns;
	s64 allocated_bytes;
	u32 stats;    /* slot of the threads without calls */
	u32 followed; /* makes no calls itself: only its off-CPU intervals are wanted */
	u32 image;    /* tells its program from those that it executed before */
	u32 nccl;     /* it uses NCCL */
	u32 device;   /* 1 + the GPU that its threads or communicators use, SEVERAL_DEVICES, 0 for none */
	u32 reserved;
};

#define SEVERAL_DEVICES (~0U)

/* A GPU stream, CUDA event or communicator of a process. */
struct handle_key {
	u32 tgid;
	u32 image;
	u64 handle;
};

struct communicator {
	u32 serial;     /* tells it from others under the same handle */
	u32 operations; /* issued */
	u32 completed;  /* none up to this number is open: they are complete, or cut short */
	u32 derived;    /* children */
	u64 collectives; /* issued */
	u32 device;      /* 1 + its GPU, 0: not known */
	u32 queued;      /* all up to this number are on their GPU streams */
	u64 group;       /* the group that its latest operations are in, until that ends; 0: none */
	u64 next;        /* handle of the next communicator of that group */
};
_Static_assert(sizeof(struct communicator) == 48, "communicator");

/* The sends to, or receives from, one peer of a communicator. */
struct pair_key {
	u32 tgid;
	u32 serial;
	u32 peer;
	u32 receives;
};

struct dependency {
	u64 comm;
	u32 serial; /* 0: none */
	u32 operation;
};

struct dependencies {
	struct dependency on[MAX_DEPENDENCIES];
};
_Static_assert(sizeof(struct dependencies) >= sizeof(struct communicator), "no_dependencies has room for both");

struct error_key {
	u32 tgid;
	u32 probe;
	s32 result;
	u32 reserved;
	u64 start_boottime_ns;
};

struct function_key {
	u32 tgid;
	u32 image;
	u64 function;
};

/* A launched function's slot in `series`. */
struct function_slot_key {
	u32 tid;
	u32 probe;
	u64 function;
};

struct pointer_key {
	u32 tgid;
	u32 image;
	u64 pointer; /* address, or handle of physical memory */
};

/* A row of the probe table. Slots are numbers or NO_SLOT. */
struct probe_row {
	u8 known;
	u8 layer;
	u8 class_id;
	u8 ledger_state; /* on a CPU inside it */
	u8 blocking; /* waiting is its job: an interval inside interrupts nothing */
	u8 slots;
	u8 deref_slot;
	u8 deref_words;
	u8 function_slot;
	u8 size_slot;
	u8 size_slot2;
	u8 kind_slot;
	u8 kind;
	u8 counts_bytes;
	u8 allocates_slot;
	u8 frees_slot;
	u8 name_out_slot; /* where the call stores a handle, for the name in name_slot, or as that in same_slot */
	u8 name_slot;
	u8 same_slot;
	u8 registers_slot; /* a handle for which the call announces the name in name_slot */
	u8 nccl_role;
	u8 comm_slot;     /* communicator, of derived ones the parent */
	u8 new_comm_slot; /* pointer to where what the call makes or tells is stored */
	u8 peer_slot;
	u8 identity_slot;       /* pointer to the unique id; NO_SLOT: it is on the stack */
	u8 identity_count_slot; /* how many ranks or communicators there are, where it is not a unique id */
	u8 devices_slot; /* pointer to the list of their GPUs; NULL: 0, 1, ... */
	u8 cut_slot; /* flags: with SHRINK_ABORT the call cuts the communicator short */
	u8 edge;
	u8 event_slot;
	u8 stream_slot;
	u8 per_thread; /* stream 0 is the thread's own */
	u8 entry_effects; /* there is more to do at the entry than to store registers */
	u8 elements_slot; /* how many elements a collective is of: of none there is nothing to do */
	u8 reserved[2];
	s32 benign;
};
_Static_assert(sizeof(struct probe_row) == 40, "probe_row");

/* What the iterators write. */
struct task_entry {
	u32 tgid;
	u32 reserved;
	u64 start_boottime_ns;
	u64 exec_pages; /* grows whenever a library is mapped */
};

struct mapping_entry {
	u32 tgid;
	u32 device;
	u64 inode;
	u64 start;
	u64 end;
	u64 offset_pages;
	u32 generation;
	u32 reserved;
};

#endif
