// SPDX-License-Identifier: Apache-2.0
//
// libnccl: groups.
#include "nccl_group.h"

#include <stdlib.h>

struct nc_group {
	struct nc_caller caller;
	ncclResult_t error; /* the first of its calls */
	struct nc_job *jobs, **last_job;
	struct nc_task *tasks, **last_task;
	bool background; /* another thread than the caller's runs it */
};

static struct nc_group *open_group(void)
{
	struct nc_thread *self = nc_self();
	if (self->group == NULL) {
		self->group = calloc(1, sizeof *self->group);
		if (self->group == NULL)
			abort();
		self->group->last_job = &self->group->jobs;
		self->group->last_task = &self->group->tasks;
		self->group->caller = nc_caller_self();
	}
	return self->group;
}

void nc_group_enter(void) { nc_self()->depth++; }

void nc_group_add_task(const struct nc_task *task)
{
	struct nc_group *group = open_group();
	struct nc_task *own = malloc(sizeof *own);
	if (own == NULL)
		abort();
	*own = *task;
	own->next = NULL;
	*group->last_task = own;
	group->last_task = &own->next;
}

void nc_group_add_job(const struct nc_job *job)
{
	struct nc_group *group = open_group();
	struct nc_job *own = malloc(sizeof *own);
	if (own == NULL)
		abort();
	*own = *job;
	own->next = NULL;
	own->result = ncclInternalError; /* until it has run */
	*group->last_job = own;
	group->last_job = &own->next;
}

unsigned nc_group_jobs_of(const struct nc_comm *parent)
{
	unsigned count = 0;
	const struct nc_group *group = nc_self()->group;
	for (const struct nc_job *job = group == NULL ? NULL : group->jobs; job != NULL; job = job->next)
		count += job->parent == parent;
	return count;
}

ncclResult_t nc_group_failed(ncclResult_t result)
{
	if (nc_self()->depth > 0 && result != ncclSuccess && result != ncclInProgress) {
		struct nc_group *group = open_group();
		group->error = group->error == ncclSuccess ? result : group->error;
	}
	return result;
}

/* A job that ran, or will not: its communicators are used no longer. */
static void finish_job(struct nc_job *job, bool background)
{
	bool failed = job->result != ncclSuccess;
	if (job->parent != NULL)
		nc_comm_done(job->parent);
	if (failed && job->newcomm != NULL && !background) {
		*job->newcomm = NULL;
		nc_comm_close(job->comm);
	} else {
		nc_comm_done(job->comm);
	}
}

void nc_group_free(struct nc_group *group)
{
	if (group == NULL)
		return;
	for (struct nc_job *job = group->jobs, *next; job != NULL; job = next) {
		next = job->next;
		finish_job(job, group->background);
		free(job);
	}
	for (struct nc_task *task = group->tasks, *next; task != NULL; task = next) {
		next = task->next;
		free(task);
	}
	free(group);
}

static void *run_job(void *arg)
{
	struct nc_job *job = arg;
	job->result = job->run(job);
	return NULL;
}

/* Jobs wait for each other's, so several run at the same time. */
static ncclResult_t run_jobs(struct nc_group *group)
{
	ncclResult_t result = ncclSuccess;
	if (group->jobs != NULL && group->jobs->next == NULL)
		run_job(group->jobs);
	else
		for (struct nc_job *job = group->jobs; job != NULL; job = job->next)
			if (pthread_create(&job->thread, NULL, run_job, job) != 0)
				abort();
	for (struct nc_job *job = group->jobs; job != NULL; job = job->next) {
		if (group->jobs->next != NULL)
			pthread_join(job->thread, NULL);
		result = result == ncclSuccess ? job->result : result;
	}
	return result;
}

/* Takes the tasks of the first one's communicator out of the list, in order. */
static struct nc_task *take_tasks(struct nc_task **tasks)
{
	struct nc_task *taken = NULL, **last = &taken, **place = tasks;
	ncclComm_t comm = (*tasks)->comm;
	while (*place != NULL) {
		struct nc_task *task = *place;
		if (task->comm != comm) {
			place = &task->next;
			continue;
		}
		*place = task->next;
		task->next = NULL;
		*last = task;
		last = &task->next;
	}
	return taken;
}

/* What run_tasks launched, to be told that the call is over. */
struct launched {
	struct launched *next;
	struct nc_comm *comm;
	struct nc_launch *launch;
};

static ncclResult_t launch(struct nc_group *group, struct nc_task *tasks, struct launched **list)
{
	ncclResult_t result;
	struct nc_comm *comm = nc_comm_use(tasks->comm, &result);
	if (comm == NULL)
		return result;
	struct launched *launched = malloc(sizeof *launched);
	result = launched == NULL ? nc_fail(ncclSystemError, "out of memory")
				  : nc_launch(comm, tasks, &group->caller, &launched->launch);
	if (result != ncclSuccess) {
		free(launched);
		nc_comm_done(comm);
		return result;
	}
	launched->comm = comm;
	launched->next = *list;
	*list = launched;
	return ncclSuccess;
}

static ncclResult_t run_tasks(struct nc_group *group)
{
	struct launched *list = NULL, *next;
	ncclResult_t result = ncclSuccess;
	while (group->tasks != NULL && result == ncclSuccess) {
		struct nc_task *tasks = take_tasks(&group->tasks);
		result = launch(group, tasks, &list);
		for (struct nc_task *after; tasks != NULL; tasks = after) {
			after = tasks->next;
			free(tasks);
		}
	}
	uint64_t now = nc_now();
	for (; list != NULL; list = next) {
		next = list->next;
		nc_launch_called(list->launch, now);
		nc_comm_done(list->comm);
		free(list);
	}
	return result;
}

static ncclResult_t run(struct nc_group *group)
{
	ncclResult_t result = run_jobs(group);
	return result == ncclSuccess ? run_tasks(group) : result;
}

/* Communicators of tasks are in progress until the group was run. */
static void set_async(const struct nc_task *tasks, ncclResult_t async)
{
	for (const struct nc_task *task = tasks; task != NULL; task = task->next) {
		ncclResult_t result;
		struct nc_comm *comm = nc_comm_use(task->comm, &result);
		if (comm == NULL)
			continue;
		nc_comm_set_async(comm, async);
		nc_comm_done(comm);
	}
}

static struct nc_task *copy_of(const struct nc_task *tasks)
{
	struct nc_task *copy = NULL, **last = &copy;
	for (; tasks != NULL; tasks = tasks->next) {
		*last = malloc(sizeof **last);
		if (*last == NULL)
			abort();
		**last = *tasks;
		(*last)->next = NULL;
		last = &(*last)->next;
	}
	return copy;
}

static void *run_in_background(void *arg)
{
	struct nc_group *group = arg;
	struct nc_task *tasks = copy_of(group->tasks);
	ncclResult_t result = run(group);
	set_async(tasks, result);
	for (struct nc_task *next; tasks != NULL; tasks = next) {
		next = tasks->next;
		free(tasks);
	}
	nc_group_free(group);
	return NULL;
}

static bool is_blocking(const struct nc_group *group)
{
	bool blocking = true;
	ncclResult_t result;
	for (const struct nc_job *job = group->jobs; job != NULL; job = job->next)
		blocking = blocking && job->comm->blocking;
	for (const struct nc_task *task = group->tasks; task != NULL; task = task->next) {
		struct nc_comm *comm = nc_comm_use(task->comm, &result);
		if (comm == NULL)
			continue;
		blocking = blocking && comm->blocking;
		nc_comm_done(comm);
	}
	return blocking;
}

static ncclResult_t start_in_background(struct nc_group *group)
{
	pthread_t thread;
	group->background = true;
	set_async(group->tasks, ncclInProgress);
	if (pthread_create(&thread, NULL, run_in_background, group) != 0)
		abort();
	pthread_detach(thread);
	return ncclInProgress;
}

ncclResult_t nc_group_leave(void)
{
	struct nc_thread *self = nc_self();
	struct nc_group *group = self->group;
	if (--self->depth > 0 || group == NULL)
		return ncclSuccess;
	self->group = NULL;
	ncclResult_t result = group->error;
	if (result == ncclSuccess && !is_blocking(group))
		return start_in_background(group);
	if (result == ncclSuccess)
		result = run(group);
	nc_group_free(group);
	return result;
}

NCCL(ncclGroupStart, (void),
	nc_group_enter();
	return ncclSuccess;)

NCCL(ncclGroupEnd, (void),
	if (nc_self()->depth == 0)
		return nc_fail(ncclInvalidUsage, "no group is open");
	return nc_group_leave();)
