// SPDX-License-Identifier: Apache-2.0
//
// Statements about the CPU, locks, time, the process itself, and the simulation.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "kernels.h"
#include "objects.h"
#include "run.h"
#include "statements_nccl.h"
#include "truth.h"

struct lock {
	pthread_mutex_t mutex;
	_Atomic int holder; /* tid */
};

/* The process's lock or barrier of that name, made at its first use. */
static void *named(const char *kind, const char *name, void *(*make)(uint64_t), uint64_t arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char key[128];
	uint64_t value;
	snprintf(key, sizeof key, "%s %s", kind, name);
	pthread_mutex_lock(&lock);
	if (!object_find(key, &value)) {
		value = (uint64_t)(uintptr_t)make(arg);
		object_set(key, value);
	}
	pthread_mutex_unlock(&lock);
	return (void *)(uintptr_t)value;
}

static void *make_lock(uint64_t unused)
{
	struct lock *lock = calloc(1, sizeof *lock);
	(void)unused;
	pthread_mutex_init(&lock->mutex, NULL);
	return lock;
}

static void *make_barrier(uint64_t count)
{
	pthread_barrier_t *barrier = calloc(1, sizeof *barrier);
	pthread_barrier_init(barrier, NULL, (unsigned)count);
	return barrier;
}

static void do_lock(struct actor *actor, const struct node *node)
{
	struct lock *lock = named("lock", node->argv[1], make_lock, 0);
	if (pthread_mutex_trylock(&lock->mutex) != 0) {
		uint64_t start = truth_now();
		int holder = lock->holder;
		pthread_mutex_lock(&lock->mutex);
		truth_wait(actor, "lock", node->argv[1], start, holder);
	}
	lock->holder = actor->tid;
}

static void do_unlock(struct actor *actor, const struct node *node)
{
	struct lock *lock = named("lock", node->argv[1], make_lock, 0);
	(void)actor;
	lock->holder = 0;
	pthread_mutex_unlock(&lock->mutex);
}

static void do_barrier(struct actor *actor, const struct node *node)
{
	pthread_barrier_t *barrier = named("barrier", node->argv[1], make_barrier, run_number(node, node->argv[2]));
	uint64_t start = truth_now();
	pthread_barrier_wait(barrier);
	truth_wait(actor, "barrier", node->argv[1], start, 0);
}

static void do_sleep(struct actor *actor, const struct node *node)
{
	uint64_t ns = run_number(node, node->argv[1]), start = truth_now();
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
	truth_wait(actor, "sleep", "", start, 0);
}

static void do_spin(struct actor *actor, const struct node *node)
{
	uint64_t start = truth_now(), end = start + run_number(node, node->argv[1]);
	while (truth_now() < end)
		;
	truth_wait(actor, "spin", "", start, 0);
}

static uint64_t cpu_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void do_burn(struct actor *actor, const struct node *node)
{
	uint64_t start = truth_now(), end = cpu_now() + run_number(node, node->argv[1]);
	while (cpu_now() < end)
		;
	truth_wait(actor, "burn", "", start, 0);
}

static void do_yield(struct actor *actor, const struct node *node)
{
	(void)actor;
	for (uint64_t i = node->argc > 1 ? run_number(node, node->argv[1]) : 1; i > 0; i--)
		sched_yield();
}

static void do_pin(struct actor *actor, const struct node *node)
{
	cpu_set_t set;
	(void)actor;
	CPU_ZERO(&set);
	CPU_SET(run_number(node, node->argv[1]), &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		script_fail(node, strerror(errno));
}

static void do_nice(struct actor *actor, const struct node *node)
{
	if (setpriority(PRIO_PROCESS, (id_t)actor->tid, atoi(node->argv[1])) != 0)
		script_fail(node, strerror(errno));
}

static void do_fifo(struct actor *actor, const struct node *node)
{
	struct sched_param param = {.sched_priority = (int)run_number(node, node->argv[1])};
	(void)actor;
	if (sched_setscheduler(0, SCHED_FIFO, &param) != 0)
		script_fail(node, strerror(errno));
}

static void do_name(struct actor *actor, const struct node *node)
{
	char buffer[64];
	snprintf(actor->name, sizeof actor->name, "%.15s", call_own_name(node->argv[1], actor->index, buffer, sizeof buffer));
	prctl(PR_SET_NAME, actor->name);
}

static void do_title(struct actor *actor, const struct node *node)
{
	char buffer[64];
	run_title(call_own_name(node->argv[1], actor->index, buffer, sizeof buffer));
}

static void do_kill(struct actor *actor, const struct node *node)
{
	(void)node;
	truth_process(actor);
	kill(getpid(), SIGKILL);
}

static void do_exit_thread(struct actor *actor, const struct node *node)
{
	(void)node;
	truth_thread(actor);
	pthread_exit(NULL);
}

static void do_exit(struct actor *actor, const struct node *node)
{
	truth_process(actor);
	fflush(stdout);
	_exit((int)run_number(node, node->argv[1]));
}

/* `exec self SCRIPT ...` goes on as another script with the same truth file. */
static void do_exec(struct actor *actor, const struct node *node)
{
	char *args[64 + 3], truth[4096];
	int n = 0;
	bool self = strcmp(node->argv[1], "self") == 0;
	args[n++] = self ? "workload" : node->argv[1];
	for (int i = 2; i < node->argc; i++)
		args[n++] = node->argv[i];
	if (self && truth_path() != NULL) {
		snprintf(truth, sizeof truth, "--truth=%s", truth_path());
		args[n++] = truth;
	}
	args[n] = NULL;
	truth_process(actor);
	execv(self ? "/proc/self/exe" : node->argv[1], args);
	script_fail(node, strerror(errno));
}

static void do_longjmp(struct actor *actor, const struct node *node)
{
	if (actor->catch_depth == 0)
		script_fail(node, "no catch around it");
	longjmp(*actor->catches[actor->catch_depth - 1], 1);
}

static void do_fail(struct actor *actor, const struct node *node)
{
	(void)actor;
	if (!FC_LINKED(fakecuda_fail_next))
		script_fail(node, "this program is not linked to libcuda");
	fakecuda_fail_next(node->argv[1], (CUresult)run_number(node, node->argv[2]));
}

static void do_setting(struct actor *actor, const struct node *node)
{
	uint64_t value = run_number(node, node->argv[2]);
	(void)actor;
	if (FC_LINKED(fakecuda_set) && fakecuda_set(node->argv[1], value) == 0)
		return;
	if (!NC_LINKED(fakenccl_set) || fakenccl_set(node->argv[1], value) != 0)
		script_fail(node, "no such setting");
}

static void do_dlopen(struct actor *actor, const struct node *node)
{
	(void)actor;
	void *handle = dlopen(node->argv[1], RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		script_fail(node, dlerror());
	void *binary = dlsym(handle, "__cudaRegisterFatBinary"), *function = dlsym(handle, "__cudaRegisterFunction");
	if (binary != NULL && function != NULL)
		kernels_register((__typeof__(&__cudaRegisterFatBinary))binary, (__typeof__(&__cudaRegisterFunction))function);
	object_set(node->argv[2], (uint64_t)(uintptr_t)handle);
}

static void do_dlclose(struct actor *actor, const struct node *node)
{
	uint64_t handle;
	(void)actor;
	if (!object_find(node->argv[1], &handle) || dlclose((void *)(uintptr_t)handle) != 0)
		script_fail(node, "no such library");
}

/* A number by name, which may stand wherever a number is expected. */
static void do_let(struct actor *actor, const struct node *node)
{
	char buffer[64];
	object_set(call_own_name(node->argv[1], actor->index, buffer, sizeof buffer), run_number(node, node->argv[2]));
}

static void do_mark(struct actor *actor, const struct node *node) { truth_mark(actor, node->argv[1]); }

static void do_print(struct actor *actor, const struct node *node)
{
	(void)actor;
	for (int i = 1; i < node->argc; i++)
		printf("%s%s", i > 1 ? " " : "", node->argv[i]);
	putchar('\n');
	fflush(stdout);
}

const struct statement cpu_statements[] = {
	{"lock", 1, do_lock},
	{"unlock", 1, do_unlock},
	{"barrier", 2, do_barrier},
	{"sleep", 1, do_sleep},
	{"spin", 1, do_spin},
	{"burn", 1, do_burn},
	{"yield", 0, do_yield},
	{"pin", 1, do_pin},
	{"nice", 1, do_nice},
	{"fifo", 1, do_fifo},
	{"name", 1, do_name},
	{"title", 1, do_title},
	{"kill", 0, do_kill},
	{"exit-thread", 0, do_exit_thread},
	{"exit", 1, do_exit},
	{"exec", 1, do_exec},
	{"longjmp", 0, do_longjmp},
	{"fail", 2, do_fail},
	{"setting", 2, do_setting},
	{"dlopen", 2, do_dlopen},
	{"dlclose", 1, do_dlclose},
	{"let", 2, do_let},
	{"mark", 1, do_mark},
	{"nccl-id", 1, run_nccl_id},
	{"nccl-wait", 1, run_nccl_wait},
	{"print", 0, do_print},
	{NULL, 0, NULL},
};
