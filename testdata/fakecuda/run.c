// SPDX-License-Identifier: Apache-2.0
//
// Blocks, threads and processes of a script.
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "inside.h"
#include "truth.h"

#define MAX_CHILDREN 4096

static _Atomic int failed;

/* What this process has to join or reap; reset in a forked child. */
static struct {
	pthread_mutex_t lock;
	pthread_t threads[MAX_CHILDREN];
	int threads_count;
	pid_t processes[MAX_CHILDREN];
	bool daemons[MAX_CHILDREN];
	int processes_count;
} started = {.lock = PTHREAD_MUTEX_INITIALIZER};

void run_failed(const struct node *node, const char *what, long got)
{
	fprintf(stderr, "line %d: %s: %s, got %ld\n", node->line, node->argv[0], what, got);
	failed = 1;
}

uint64_t run_number(const struct node *node, const char *text)
{
	uint64_t value;
	if (call_value(text, 0, &value) != 0)
		script_fail(node, "not a number, duration, size or object");
	return value;
}

const char *run_word(const struct node *node, const char *key, const char *otherwise)
{
	size_t n = strlen(key);
	for (int i = 1; i < node->argc; i++)
		if (strncmp(node->argv[i], key, n) == 0 && node->argv[i][n] == '=')
			return node->argv[i] + n + 1;
	return otherwise;
}

bool run_flag(const struct node *node, const char *word)
{
	for (int i = 1; i < node->argc; i++)
		if (strcmp(node->argv[i], word) == 0)
			return true;
	return false;
}

static void set_identity(struct actor *actor)
{
	actor->pid = getpid();
	actor->tid = (pid_t)syscall(SYS_gettid);
	actor->start_ns = truth_now();
	prctl(PR_SET_NAME, actor->name);
}

static char *title_area; /* the command line's memory */
static size_t title_size;

void run_title(const char *text)
{
	if (title_area == NULL)
		return;
	memset(title_area, 0, title_size);
	snprintf(title_area, title_size, "%s", text);
}

/* Threads and processes. */

struct start {
	struct actor actor;
	const struct node *body;
};

static void *thread_main(void *arg)
{
	struct start *start = arg;
	set_identity(&start->actor);
	run_block(&start->actor, start->body);
	truth_thread(&start->actor);
	free(start);
	return NULL;
}

/* How many, and which index each has: count= counts from 0, without it the one keeps the index of who starts it. */
static int count_of(const struct node *node) { return (int)run_number(node, run_word(node, "count", "1")); }

static int index_of(const struct actor *parent, const struct node *node, int i)
{
	return run_word(node, "count", NULL) == NULL ? parent->index : i;
}

static void name_actor(struct actor *actor, const struct node *node, int index)
{
	char buffer[64];
	actor->index = index;
	snprintf(actor->name, sizeof actor->name, "%.15s", call_own_name(node->argv[1], index, buffer, sizeof buffer));
}

static void start_thread(const struct node *node, int index)
{
	struct start *start = calloc(1, sizeof *start);
	pthread_t thread;
	name_actor(&start->actor, node, index);
	start->body = node->body;
	if (pthread_create(&thread, NULL, thread_main, start) != 0)
		script_fail(node, "cannot start the thread");
	if (run_flag(node, "daemon")) {
		pthread_detach(thread);
		return;
	}
	pthread_mutex_lock(&started.lock);
	if (started.threads_count < MAX_CHILDREN)
		started.threads[started.threads_count++] = thread;
	pthread_mutex_unlock(&started.lock);
}

/* The exit status; 0 for a process that a signal ended. */
static int reap(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void join(void)
{
	int threads = started.threads_count, processes = started.processes_count;
	for (int i = 0; i < threads; i++)
		pthread_join(started.threads[i], NULL);
	started.threads_count = 0;
	for (int i = 0; i < processes; i++)
		if (!started.daemons[i] && reap(started.processes[i]) != 0)
			failed = 1;
	for (int i = 0; i < processes; i++)
		if (started.daemons[i]) {
			kill(started.processes[i], SIGKILL);
			reap(started.processes[i]);
		}
	started.processes_count = 0;
}

static void start_process(const struct actor *parent, const struct node *node, int index)
{
	bool from_main = parent->tid == parent->pid, daemon = run_flag(node, "daemon");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		script_fail(node, "cannot fork");
	if (pid > 0) {
		if (started.processes_count < MAX_CHILDREN) {
			started.daemons[started.processes_count] = daemon;
			started.processes[started.processes_count++] = pid;
		}
		return;
	}
	if (from_main) /* the signal comes when the forking thread ends */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_mutex_init(&started.lock, NULL);
	started.threads_count = started.processes_count = 0;
	failed = 0;
	struct actor *actor = calloc(1, sizeof *actor);
	name_actor(actor, node, index);
	set_identity(actor);
	run_block(actor, node->body);
	join();
	truth_process(actor);
	fflush(stdout);
	_exit(failed);
}

static void run_catch(struct actor *actor, const struct node *node)
{
	jmp_buf here;
	const char *volatile calling = actor->calling;
	if (actor->catch_depth == MAX_CATCHES)
		script_fail(node, "too deep");
	int depth = actor->catch_depth;
	actor->catches[actor->catch_depth++] = &here;
	if (setjmp(here) == 0)
		run_block(actor, node->body);
	else
		actor->calling = calling;
	actor->catch_depth = depth;
}

static void run_loop(struct actor *actor, const struct node *node)
{
	uint64_t end = truth_now() + run_number(node, node->argv[1]);
	while (truth_now() < end)
		run_block(actor, node->body);
}

/* Runs the body when as much time has passed since it last ran, or since the
 * statement was first reached. */
static void run_every(struct actor *actor, const struct node *node)
{
	struct node *own = (struct node *)(uintptr_t)node;
	uint64_t now = truth_now(), last = own->last;
	if (last == 0) {
		own->last = now;
		return;
	}
	if (now - last < run_number(node, node->argv[1]))
		return;
	own->last = now;
	run_block(actor, node->body);
}

/* Runs the body once, when the time has passed since it was first reached. */
static void run_after(struct actor *actor, const struct node *node)
{
	struct node *own = (struct node *)(uintptr_t)node;
	uint64_t now = truth_now(), first = own->last;
	if (first == 0)
		own->last = now;
	else if (first != UINT64_MAX && now - first >= run_number(node, node->argv[1])) {
		own->last = UINT64_MAX;
		run_block(actor, node->body);
	}
}

/* Whether the actor's index is among the words. */
static bool has_index(const struct actor *actor, const struct node *node)
{
	bool has = false;
	for (int i = 1; i < node->argc; i++)
		has = has || run_number(node, node->argv[i]) == (uint64_t)actor->index;
	return has;
}

static bool truthy(const char *value) { return value[0] != '\0' && strcmp(value, "0") != 0; }

static bool run_structure(struct actor *actor, const struct node *node)
{
	const char *name = node->argv[0];
	if (node->argc < 2 && strcmp(name, "inside") != 0 && strcmp(name, "catch") != 0)
		return false;
	if (strcmp(name, "thread") == 0) {
		for (int i = 0; i < count_of(node); i++)
			start_thread(node, index_of(actor, node, i));
	} else if (strcmp(name, "process") == 0) {
		for (int i = 0; i < count_of(node); i++)
			start_process(actor, node, index_of(actor, node, i));
	} else if (strcmp(name, "only") == 0 || strcmp(name, "except") == 0) {
		if (has_index(actor, node) == (name[0] == 'o'))
			run_block(actor, node->body);
	} else if (strcmp(name, "repeat") == 0) {
		for (uint64_t i = run_number(node, node->argv[1]); i > 0; i--)
			run_block(actor, node->body);
	} else if (strcmp(name, "loop") == 0) {
		run_loop(actor, node);
	} else if (strcmp(name, "every") == 0) {
		run_every(actor, node);
	} else if (strcmp(name, "after") == 0) {
		run_after(actor, node);
	} else if (strcmp(name, "if") == 0 || strcmp(name, "unless") == 0) {
		if (truthy(node->argv[1]) == (name[0] == 'i'))
			run_block(actor, node->body);
	} else if (strcmp(name, "inside") == 0) {
		inside_next_call(actor, node);
	} else if (strcmp(name, "recurse") == 0) {
		inside_recurse(actor, node);
	} else if (strcmp(name, "catch") == 0) {
		run_catch(actor, node);
	} else {
		return false;
	}
	return true;
}

static bool run_simple(struct actor *actor, const struct node *node, const struct statement *table)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, node->argv[0]) == 0) {
			if (node->argc <= table->min_args)
				script_fail(node, "too few words");
			table->run(actor, node);
			return true;
		}
	return false;
}

void run_block(struct actor *actor, const struct node *node)
{
	for (; node != NULL; node = node->next) {
		if (strcmp(node->argv[0], "set") == 0)
			continue;
		if (strcmp(node->argv[0], "join") == 0)
			join();
		else if (!run_call(actor, node) && !run_structure(actor, node) &&
			 !run_simple(actor, node, cpu_statements) && !run_simple(actor, node, io_statements) &&
			 !run_simple(actor, node, wait_statements) && !run_simple(actor, node, context_statements) &&
			 !run_simple(actor, node, inside_statements))
			script_fail(node, "unknown statement");
	}
}

struct actor *run_enter(int argc, char **argv)
{
	static struct actor main_actor;
	const char *base = argc > 0 && strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : "workload";
	snprintf(main_actor.name, sizeof main_actor.name, "%s", base);
	set_identity(&main_actor);
	inside_open();
	title_area = argc > 0 ? argv[0] : NULL;
	for (int i = 0; i < argc; i++)
		title_size += strlen(argv[i]) + 1;
	return &main_actor;
}

int run_script(const struct node *nodes, int argc, char **argv)
{
	struct actor *actor = run_enter(argc, argv);
	run_block(actor, nodes);
	join();
	truth_process(actor);
	return failed;
}
