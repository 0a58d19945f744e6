// SPDX-License-Identifier: Apache-2.0
//
// Blocks that run inside a call, and how others know that one waits there.
#define _GNU_SOURCE
#include "inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"
#include "truth.h"

#define PATIENCE_NS 30000000000u

/* The thread that runs a body inside a call, the last to begin one, or 0; of
 * the process and all that it forks. */
static _Atomic pid_t *now_inside;

void inside_open(void)
{
	void *page = mmap(NULL, sizeof *now_inside, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED)
		now_inside = page;
}

struct inside {
	struct actor *actor;
	const struct node *node;
	uint64_t depth;
};

/* Owned by the thread: the body of its next call, until that call runs it. */
static __thread struct inside pending;

static void run_body(const struct inside *inside)
{
	if (now_inside != NULL)
		*now_inside = inside->actor->tid;
	run_block(inside->actor, inside->node->body);
	if (now_inside != NULL)
		*now_inside = 0;
}

static void run_inside(void *unused)
{
	struct inside inside = pending;
	(void)unused;
	if (inside.depth > 0) {
		pending.depth--;
		if (pending.depth > 0)
			fakecuda_set_inside(NULL, run_inside, NULL);
	}
	run_body(&inside);
}

static void arm(struct actor *actor, const struct node *node, const char *function, uint64_t depth)
{
	if (!FC_LINKED(fakecuda_set_inside))
		script_fail(node, "this program is not linked to libcuda");
	pending = (struct inside){actor, node, depth};
	fakecuda_set_inside(function, run_inside, NULL);
}

void inside_next_call(struct actor *actor, const struct node *node)
{
	arm(actor, node, node->argc > 1 ? node->argv[1] : NULL, 0);
}

void inside_recurse(struct actor *actor, const struct node *node)
{
	uint64_t depth = run_number(node, node->argv[1]);
	if (depth == 0)
		return;
	if (depth > 1)
		arm(actor, node, NULL, depth - 1);
	run_block(actor, node->body);
	fakecuda_set_inside(NULL, NULL, NULL);
}

/* Whether the thread sleeps, as the Linux kernel has it. */
static bool sleeps(pid_t tid)
{
	char path[64], stat[512];
	snprintf(path, sizeof path, "/proc/%d/stat", tid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	size_t n = fread(stat, 1, sizeof stat - 1, file);
	fclose(file);
	stat[n] = '\0';
	const char *comm_end = strrchr(stat, ')');
	return comm_end != NULL && (strncmp(comm_end, ") S", 3) == 0 || strncmp(comm_end, ") D", 3) == 0);
}

/* Waits until a thread sleeps inside a call, however long it takes to get there:
 * whoever is to wake it then does not come too early. */
static void do_await_blocked(struct actor *actor, const struct node *node)
{
	(void)actor;
	if (now_inside == NULL)
		script_fail(node, "no memory to share");
	for (uint64_t end = truth_now() + PATIENCE_NS; truth_now() < end; usleep(200)) {
		pid_t tid = *now_inside;
		if (tid != 0 && sleeps(tid) && *now_inside == tid)
			return;
	}
	script_fail(node, "no thread came to wait inside a call");
}

const struct statement inside_statements[] = {
	{"await-blocked", 0, do_await_blocked},
	{NULL, 0, NULL},
};
