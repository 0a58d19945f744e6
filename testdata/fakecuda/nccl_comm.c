// SPDX-License-Identifier: Apache-2.0
//
// Communicators: their handles, users, states, and progress threads.
#define _GNU_SOURCE
#include "nccl_comm.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "nccl_launch.h"

#define PROGRESS_PRIORITY 20 /* as the virtual GPU: hardware waits for no CPU */

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct nc_comm comms[NC_COMMS];
static unsigned next_comm;

static void make_locks(struct nc_comm *comm)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&comm->lock, &attr);
	pthread_mutex_init(&comm->enqueue, NULL);
	pthread_cond_init(&comm->changed, NULL);
}

/* A communicator that nothing refers to any more. */
static struct nc_comm *unused(void)
{
	for (unsigned i = 0; i < NC_COMMS; i++) {
		struct nc_comm *comm = &comms[next_comm++ % NC_COMMS];
		if (comm->state == nc_unused)
			return comm;
		pthread_mutex_lock(&comm->lock);
		bool free = comm->state == nc_gone && comm->users == 0 && comm->launches == 0;
		pthread_mutex_unlock(&comm->lock);
		if (free)
			return comm;
	}
	return NULL;
}

struct nc_comm *nc_comm_new(int device, bool blocking)
{
	pthread_mutex_lock(&table_lock);
	struct nc_comm *comm = unused();
	if (comm != NULL) {
		*comm = (struct nc_comm){
			.handle = nc_memory_of((unsigned)(comm - comms)),
			.layout = nc_settings.nccl_layout,
			.device = device,
			.blocking = blocking,
			.state = nc_starting,
			.async = ncclInProgress,
			.users = 1,
		};
		make_locks(comm);
	}
	pthread_mutex_unlock(&table_lock);
	return comm;
}

bool nc_comm_identify(struct nc_comm *comm, uint64_t key, int rank, int ranks)
{
	comm->key = key;
	comm->hash = nc_settings.nccl_hash ? nc_new_hash(key) : key;
	comm->rank = rank;
	comm->ranks = ranks;
	comm->sent = calloc((size_t)ranks, sizeof *comm->sent);
	comm->received = calloc((size_t)ranks, sizeof *comm->received);
	comm->rings.ranks = calloc((size_t)ranks, sizeof *comm->rings.ranks);
	nc_memory_begin(comm);
	return comm->sent != NULL && comm->received != NULL && comm->rings.ranks != NULL;
}

static void ring_noted(struct nc_comm *comm)
{
	if (!atomic_exchange(&comm->rings.any, false))
		return;
	for (int rank = 0; rank < comm->ranks; rank++)
		if (atomic_exchange(&comm->rings.ranks[rank], false))
			nc_ring(&comm->segment->seats[rank]);
}

/* Plays the hardware that tells other ranks of arrivals: no thread of the program does. */
static void *progress_main(void *arg)
{
	struct nc_comm *comm = arg;
	struct sched_param param = {.sched_priority = PROGRESS_PRIORITY};
	cpu_set_t all;
	char name[16];
	snprintf(name, sizeof name, "NCCL Progress%2u", (unsigned)comm->device % 100u);
	prctl(PR_SET_NAME, name);
	memset(&all, 0xff, sizeof all);
	sched_setaffinity(0, sizeof all, &all);
	sched_setscheduler(0, SCHED_FIFO, &param);
	for (;;) {
		uint32_t seen = atomic_load(&comm->seat->doorbell);
		if (atomic_load(&comm->stopping))
			return NULL;
		ring_noted(comm);
		nc_launches_arrive(comm);
		ring_noted(comm);
		nc_launches_leave(comm);
		nc_sleep(comm->seat, seen);
	}
}

static void start_progress(struct nc_comm *comm)
{
	if (pthread_create(&comm->progress, NULL, progress_main, comm) != 0)
		abort();
	comm->has_progress = true;
}

void nc_comm_joined(struct nc_comm *comm, struct nc_segment *segment)
{
	pthread_mutex_lock(&comm->lock);
	comm->segment = segment;
	comm->seat = &segment->seats[comm->rank];
	pthread_mutex_unlock(&comm->lock);
}

void nc_comm_started(struct nc_comm *comm, ncclResult_t result)
{
	if (result == ncclSuccess) {
		start_progress(comm);
		nc_memory_complete(comm);
	}
	pthread_mutex_lock(&comm->lock);
	comm->async = result;
	if (comm->state == nc_starting)
		comm->state = result == ncclSuccess ? nc_ready : nc_broken;
	pthread_mutex_unlock(&comm->lock);
}

struct nc_comm *nc_comm_use(ncclComm_t handle, ncclResult_t *result)
{
	int index = nc_memory_index(handle);
	*result = ncclSuccess;
	if (index < 0 || comms[index].state == nc_unused) {
		*result = nc_fail(ncclInvalidArgument, "not a communicator");
		return NULL;
	}
	struct nc_comm *comm = &comms[index];
	pthread_mutex_lock(&comm->lock);
	if (comm->state == nc_gone)
		*result = nc_fail(ncclInvalidUsage, "the communicator was destroyed or aborted");
	else
		comm->users++;
	pthread_mutex_unlock(&comm->lock);
	return *result == ncclSuccess ? comm : NULL;
}

void nc_comm_done(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	comm->users--;
	pthread_cond_broadcast(&comm->changed);
	pthread_mutex_unlock(&comm->lock);
}

ncclResult_t nc_comm_fertile(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	enum nc_state state = comm->state;
	ncclResult_t async = comm->async;
	pthread_mutex_unlock(&comm->lock);
	if (async == ncclInProgress)
		return nc_fail(ncclInvalidArgument, "the communicator's last call is still in progress");
	if (async != ncclSuccess)
		return nc_fail(async, "the communicator has an asynchronous error");
	if (state != nc_ready && state != nc_revoked)
		return nc_fail(ncclInvalidUsage, "the communicator was finalized, destroyed or aborted");
	return ncclSuccess;
}

ncclResult_t nc_comm_usable(struct nc_comm *comm)
{
	ncclResult_t result = nc_comm_fertile(comm);
	pthread_mutex_lock(&comm->lock);
	if (result == ncclSuccess && comm->state == nc_revoked)
		result = nc_fail(ncclInvalidUsage, "the communicator was revoked");
	pthread_mutex_unlock(&comm->lock);
	return result;
}

void nc_comm_set_async(struct nc_comm *comm, ncclResult_t result)
{
	pthread_mutex_lock(&comm->lock);
	comm->async = result;
	pthread_mutex_unlock(&comm->lock);
}

void nc_comm_set_state(struct nc_comm *comm, enum nc_state state)
{
	pthread_mutex_lock(&comm->lock);
	comm->state = state;
	pthread_mutex_unlock(&comm->lock);
}

void nc_comm_interrupt(struct nc_comm *comm) { nc_launches_abort(comm); }

void nc_comm_quiet(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	while (comm->launches > 0)
		pthread_cond_wait(&comm->changed, &comm->lock);
	pthread_mutex_unlock(&comm->lock);
}

/* Returns when nobody else uses it; false where somebody else closes it. */
static bool begin_close(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	bool first = !comm->closing;
	comm->closing = true;
	comm->state = nc_gone;
	while (first && comm->users > 1)
		pthread_cond_wait(&comm->changed, &comm->lock);
	pthread_mutex_unlock(&comm->lock);
	return first;
}

void nc_comm_close(struct nc_comm *comm)
{
	if (!begin_close(comm)) {
		nc_comm_done(comm);
		return;
	}
	if (comm->has_progress) {
		atomic_store(&comm->stopping, true);
		nc_ring(comm->seat);
		pthread_join(comm->progress, NULL);
	}
	if (comm->segment != NULL)
		nc_segment_unmap(comm->segment);
	comm->segment = NULL;
	if (comm->finished != NULL)
		cuEventDestroy_v2(comm->finished);
	if (comm->before != NULL)
		cuEventDestroy_v2(comm->before);
	free(comm->sent);
	free(comm->received);
	free((void *)comm->rings.ranks);
	nc_memory_free(comm->handle);
	nc_comm_done(comm);
}

static void set_waiting_at(struct nc_comm *comm, struct nc_seat *seat)
{
	pthread_mutex_lock(&comm->lock);
	comm->waiting_at = seat;
	pthread_mutex_unlock(&comm->lock);
}

bool nc_comm_wait(struct nc_comm *comm, struct nc_comm *with, struct nc_seat *seat, const struct nc_condition *condition)
{
	bool holds = false;
	set_waiting_at(comm, seat);
	for (;;) {
		uint32_t seen = atomic_load(&seat->doorbell);
		holds = condition->holds(condition->arg);
		if (holds || atomic_load(&comm->aborted) || (with != NULL && atomic_load(&with->aborted)))
			break;
		nc_sleep(seat, seen);
	}
	set_waiting_at(comm, NULL);
	return holds;
}

void nc_comm_abort_waits(struct nc_comm *comm)
{
	atomic_store(&comm->aborted, true);
	pthread_mutex_lock(&comm->lock);
	if (comm->waiting_at != NULL)
		nc_ring(comm->waiting_at);
	if (comm->seat != NULL)
		nc_ring(comm->seat);
	pthread_mutex_unlock(&comm->lock);
}

/* A child has neither the progress threads nor the jobs of its parent. */
void nc_comms_forked(void)
{
	pthread_mutex_init(&table_lock, NULL);
	nc_reports_forked();
	for (unsigned i = 0; i < NC_COMMS; i++) {
		if (comms[i].state == nc_unused)
			continue;
		make_locks(&comms[i]);
		comms[i].state = nc_gone;
		comms[i].users = comms[i].launches = 0;
		comms[i].reached = NULL;
	}
}
