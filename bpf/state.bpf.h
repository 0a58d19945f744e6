/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Maps and per-thread state. Nothing in flight is ever in an LRU map. */
#ifndef GPUCAUSE_STATE_BPF_H
#define GPUCAUSE_STATE_BPF_H

/* Set before load. */
const volatile u64 slow_call_ns = 1000000;
const volatile u64 slow_sync_ns = 10000000;
const volatile u64 slow_off_cpu_ns = 1000000;
const volatile u64 interruption_ns = 20000;
const volatile u64 min_cycle_ns = 1000000;
const volatile u64 max_cycle_ns = 10000000000;
const volatile u32 sample_every = 0;
const volatile bool kernel_stacks = true;
const volatile bool split_functions = false; /* count launches by launched function */
const volatile bool have_prev_state = true; /* sched_switch has its 4th argument: Linux 5.18 */
const volatile struct probe_row probe_rows[MAX_PROBES] = {};
const volatile u8 syscall_reasons[512] = {};
const volatile u8 reason_states[32] = {}; /* ledger state of a blocked thread, by reason */
/* bucket_bounds[i] is the largest value of bucket i-1, in ns; padded with the largest u64. */
const volatile u64 bucket_bounds[512] = {};

u64 counters[counters_size] = {};
u64 nccl_processes = 0; /* 0: no call is about collectives */

/* One open call. */
struct frame {
	u64 sp; /* at entry: identifies the call, orders the stack */
	u64 id;
	u64 start_ns; /* ~0 until the entry program is done */
	u64 end_ns;   /* when it returned */
	u64 blocked_ns;
	u64 runnable_ns;
	u64 args[MAX_SLOTS];
	s32 result;
	u32 switches;
	u16 probe;
	u16 notable;
	u8 layers;  /* set of the layers of the calls around it */
	u8 classes; /* set of the classes of the calls around it */
	u8 state;   /* in the ledger, on a CPU inside it */
	u8 blocking; /* it or a call around it */
	u8 collective; /* it, or a call around it, waits for a collective */
	u8 reserved[7];
};

#define SEEN_FUNCTIONS 64

/* A thread that has made a traced call. */
struct caller {
	u64 last_id;
	u64 seen_functions[SEEN_FUNCTIONS]; /* direct-mapped cache of `functions` */
	struct frame frames[MAX_DEPTH];
	struct task_ref task;
	u64 start_boottime_ns;
	u32 depth;
	u32 overflow; /* open calls beyond the last frame */
	u32 countdown; /* to the next sample */
	u32 stats; /* slot in stats_slots */
	u32 cycle_launches;
	u32 cycle_first_launches;
	u32 cycle_failed;
	u32 cycle_interrupted; /* launches */
	u64 cycle_copied_bytes;
	u64 cycle_start_ns; /* 0 until it is a dispatcher */
	u64 cycle_id;
	u64 cycle_ledger_ns[ledger_states]; /* the ledger when the cycle began */
	u16 series[MAX_PROBES]; /* slot of each function, 0: none yet */
	u32 function_series; /* slot of the latest launched function with one of its own */
	u32 function_series_count;
	u32 image; /* of its process */
	u32 launches_since_sync;
	u32 nccl; /* its process uses NCCL */
	u32 group_depth;
	u32 group_operations;
	u32 device; /* 1 + the GPU that it has chosen, 0: not known */
	u32 captures; /* CUDA graphs that it is capturing */
	u64 group; /* id of the call that began the outermost group */
	u64 group_first; /* handle of the first communicator with operations in it */
	u32 group_communicators; /* how many there are */
	u64 pending_handle; /* the CUDA event that was last found pending */
	u64 pending_ns;
	u32 completed[MAX_DEPENDENCIES]; /* by the call that returned, of each dependency: up to which operation, 0: none */
	u8 identity[IDENTITY_SIZE]; /* that the call in progress makes a communicator from */
};

/* A thread whose off-CPU intervals are recorded. */
struct thread {
	u64 out_ns; /* 0 while on a CPU */
	u64 wake_ns;
	u64 call;
	u64 waker_sp; /* where the wakeup's program had its stack */
	u64 stack[MAX_STACK];
	struct task_ref waker;
	struct task_ref preemptor;
	s32 syscall;
	u32 state;
	u32 stats; /* slot in thread_stats, 0: none */
	u8 reason;
	u8 io_wait;
	u8 waker_context;
	u8 is_caller;
	u8 followed;
	u8 throttled;
	u8 reserved[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct caller);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct process);
} processes SEC(".maps");

/* Slots 1..MAX_PROBES-1 are shared by whoever finds no free one; the others are in free_series. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PROBES + 4096);
	__type(key, u32);
	__type(value, struct call_series);
} series SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 4096);
	__type(value, u32);
} free_series SEC(".maps");

/* Slot 1 is shared by whoever finds no free one; the others are in free_stats. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 + 4096);
	__type(key, u32);
	__type(value, struct thread_stats);
} stats_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 4096);
	__type(value, u32);
} free_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct function_key);
	__type(value, u64); /* first launch, ns */
} functions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct function_key);
	__type(value, u64); /* where the name is, in the process's memory */
} registered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct function_slot_key);
	__type(value, u32);
} function_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct pointer_key);
	__type(value, u64); /* bytes */
} pointers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct handle_key);
	__type(value, struct communicator);
} communicators SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct pair_key);
	__type(value, u64); /* how many there were */
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct handle_key);
	__type(value, struct dependencies);
} edges SEC(".maps");

/* A value of zeros, also of a communicator: on the stack it would be too large. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct dependencies);
} no_dependencies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct error_key);
	__type(value, u64); /* calls */
} errors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

#define SHARED_SERIES MAX_PROBES /* slots below it are shared */
#define SHARED_STATS 2

static __always_inline void count(u32 index)
{
	if (index < counters_size)
		__sync_fetch_and_add(&counters[index], 1);
}

/* The reader is never woken: it drains on its own clock. */
static __always_inline void *reserve(u64 size, u32 kind)
{
	void *record = bpf_ringbuf_reserve(&events, size, 0);

	if (!record)
		count(counter_drop + kind);
	return record;
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Adds to a slot: plainly where the thread is its only writer. */
static __always_inline void add64(u64 *sum, u64 n, bool shared)
{
	if (shared)
		__sync_fetch_and_add(sum, n);
	else
		*sum += n;
}

static __always_inline void add32(u32 *sum, bool shared)
{
	if (shared)
		__sync_fetch_and_add(sum, 1);
	else
		*sum += 1;
}

/* The bucket of a value above the zero bucket: bounds are upper-inclusive, as OTLP's are. */
static __always_inline u32 find_bucket(u64 ns)
{
	u32 bucket = 0;

#pragma unroll
	for (u32 step = 256; step; step >>= 1)
		if (ns > bucket_bounds[(bucket + step) & 511])
			bucket += step;
	return bucket;
}

static __always_inline void observe(struct histogram *h, u64 ns, bool shared)
{
	u32 bucket = h->last;

	add64(&h->sum_ns, ns, shared);
	if (ns <= bucket_bounds[0]) {
		add32(&h->zero, shared);
		return;
	}
	if (ns <= bucket_bounds[bucket & 511] || ns > bucket_bounds[(bucket + 1) & 511])
		h->last = bucket = find_bucket(ns);
	if (bucket >= HISTOGRAM_BUCKETS)
		bucket = HISTOGRAM_BUCKETS - 1;
	add32(&h->buckets[bucket], shared);
}

static __always_inline void set_comm(u8 *to, const struct task_struct *task)
{
#pragma unroll
	for (int i = 0; i < COMM_SIZE; i++)
		to[i] = task->comm[i];
}

static __always_inline void set_task(struct task_ref *ref, const struct task_struct *task)
{
	ref->tgid = task->tgid;
	ref->tid = task->pid;
	set_comm(ref->comm, task);
}

static __always_inline void emit_process(struct task_struct *task, u32 change)
{
	struct process_record *r = reserve(sizeof(*r), record_process);

	if (!r)
		return;
	r->kind = record_process;
	r->change = change;
	r->at_ns = bpf_ktime_get_ns();
	r->start_boottime_ns = task->group_leader->start_boottime;
	set_task(&r->task, task);
	submit(r);
}

/* Returns the slot of a fresh thread_stats, 1 when there is none left. tid 0: a whole process's. */
static __always_inline u32 take_stats(struct task_struct *task, bool whole_process)
{
	struct thread_stats *stats;
	u32 slot;

	if (bpf_map_pop_elem(&free_stats, &slot)) {
		count(counter_full_thread_stats);
		return 1;
	}
	stats = bpf_map_lookup_elem(&stats_slots, &slot);
	if (!stats)
		return 1;
	stats->since_ns = bpf_ktime_get_ns();
	stats->ledger.since_ns = stats->since_ns;
	stats->start_boottime_ns = task->group_leader->start_boottime;
	set_task(&stats->task, task);
	if (whole_process)
		stats->task.tid = 0;
	stats->state = slot_live;
	return slot;
}

static __always_inline void release_stats(u32 slot)
{
	struct thread_stats *stats;

	if (slot < SHARED_STATS)
		return;
	stats = bpf_map_lookup_elem(&stats_slots, &slot);
	if (stats)
		stats->state = slot_dead;
}

/* Begins to record the off-CPU intervals of a thread. */
static __always_inline struct thread *track(struct task_struct *task, struct process *process)
{
	struct thread *t = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t) {
		count(counter_full_threads);
		return NULL;
	}
	if (!t->stats && process) {
		t->followed = process->followed;
		t->stats = process->stats;
	}
	return t;
}

#endif
