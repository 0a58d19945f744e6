// SPDX-License-Identifier: Apache-2.0
//
// What is told of operations to whoever watches.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nccl_launch.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct nc_launch *newest; /* of those that will be reported; guarded by list_lock */
static _Atomic(fakenccl_visit) watcher;
static void *watcher_arg;

void fakenccl_watch(fakenccl_visit visit, void *arg)
{
	watcher_arg = arg;
	atomic_store(&watcher, visit);
}

struct nc_caller nc_caller_self(void)
{
	struct nc_caller caller = {0};
	if (atomic_load(&watcher) != NULL) {
		caller.tid = (int)syscall(SYS_gettid);
		prctl(PR_GET_NAME, caller.name);
	}
	return caller;
}

void nc_report(const struct nc_launch *launch)
{
	const struct nc_comm *comm = launch->comm;
	fakenccl_visit visit = atomic_load(&watcher);
	for (unsigned i = 0; i < launch->count && visit != NULL && launch->caller.tid != 0; i++) {
		const struct nc_op *op = &launch->ops[i];
		struct fakenccl_operation told = {
			.communicator = comm->hash, .sequence = op->position, .rank = comm->rank, .ranks = comm->ranks,
			.root = nc_pairwise(op->function) ? -1 : op->root, .peer = nc_pairwise(op->function) ? op->root : -1,
			.tid = launch->caller.tid, .function = op->name, .count = op->count, .bytes = op->bytes,
			.datatype = op->datatype, .reduction = op->reduction, .grouped = launch->grouped,
			.captured = op->position == 0, .enqueue_ns = launch->called_ns, .start_ns = launch->reached_ns,
			.end_ns = launch->end_ns, .aborted = launch->aborted,
		};
		snprintf(told.thread, sizeof told.thread, "%s", launch->caller.name);
		visit(watcher_arg, &told);
	}
}

void nc_report_expect(struct nc_launch *launch)
{
	if (launch->caller.tid == 0)
		return;
	pthread_mutex_lock(&list_lock);
	launch->older = newest;
	if (newest != NULL)
		newest->newer = launch;
	newest = launch;
	pthread_mutex_unlock(&list_lock);
}

void nc_report_forget(struct nc_launch *launch)
{
	if (launch->caller.tid == 0)
		return;
	pthread_mutex_lock(&list_lock);
	if (launch->older != NULL)
		launch->older->newer = launch->newer;
	if (launch->newer != NULL)
		launch->newer->older = launch->older;
	else
		newest = launch->older;
	pthread_mutex_unlock(&list_lock);
}

void fakenccl_unfinished(void)
{
	pthread_mutex_lock(&list_lock);
	for (struct nc_launch *launch = newest; launch != NULL; launch = launch->older)
		nc_report(launch);
	atomic_store(&watcher, NULL);
	pthread_mutex_unlock(&list_lock);
}

void nc_reports_forked(void)
{
	pthread_mutex_init(&list_lock, NULL);
	newest = NULL;
}
