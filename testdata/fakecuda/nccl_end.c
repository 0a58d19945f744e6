// SPDX-License-Identifier: Apache-2.0
//
// libnccl: the end of communicators, and what can be asked of them.
#include "nccl_job.h"

/* Only what was not broken, revoked or finalized can be finalized. */
static ncclResult_t finalize(ncclComm_t handle)
{
	ncclResult_t result;
	struct nc_comm *comm = nc_comm_use(handle, &result);
	if (comm == NULL)
		return result;
	result = nc_comm_usable(comm);
	if (result != ncclSuccess) {
		nc_comm_done(comm);
		return result;
	}
	if (!comm->blocking)
		nc_comm_set_async(comm, ncclInProgress);
	nc_group_enter();
	nc_group_add_job(&(struct nc_job){.run = nc_job_finalize, .comm = comm});
	return nc_group_leave();
}

NCCL(ncclCommFinalize, (ncclComm_t comm), return finalize(comm);)

NCCL(ncclCommDestroy, (ncclComm_t comm),
	ncclResult_t result;
	struct nc_comm *own = comm == NULL ? NULL : nc_comm_use(comm, &result);
	if (own == NULL)
		return comm == NULL ? ncclSuccess : result;
	nc_comm_quiet(own);
	nc_comm_close(own);
	return ncclSuccess;)

NCCL(ncclCommAbort, (ncclComm_t comm),
	ncclResult_t result;
	struct nc_comm *own = comm == NULL ? NULL : nc_comm_use(comm, &result);
	if (own == NULL)
		return comm == NULL ? ncclSuccess : result;
	nc_comm_set_state(own, nc_gone);
	nc_comm_abort_waits(own);
	nc_comm_interrupt(own);
	nc_comm_close(own);
	return ncclSuccess;)

NCCL(ncclCommRevoke, (ncclComm_t comm, int revokeFlags),
	ncclResult_t result;
	struct nc_comm *own = nc_comm_use(comm, &result);
	if (own == NULL)
		return result;
	result = revokeFlags == 0 ? nc_comm_usable(own) : nc_fail(ncclInvalidArgument, "no such flags");
	if (result == ncclSuccess) {
		nc_comm_set_state(own, nc_revoked);
		nc_comm_interrupt(own);
	}
	nc_comm_done(own);
	return result;)

/* Gives what `of` reads of a communicator. */
static ncclResult_t ask(ncclComm_t handle, int *answer, int (*of)(struct nc_comm *comm))
{
	ncclResult_t result;
	struct nc_comm *comm = nc_comm_use(handle, &result);
	if (comm == NULL)
		return result;
	if (answer == NULL)
		result = nc_fail(ncclInvalidArgument, "no place for the answer");
	else
		*answer = of(comm);
	nc_comm_done(comm);
	return result;
}

static int async_of(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	int async = comm->async;
	pthread_mutex_unlock(&comm->lock);
	return async;
}

static int ranks_of(struct nc_comm *comm) { return comm->ranks; }
static int rank_of(struct nc_comm *comm) { return comm->rank; }
static int device_of(struct nc_comm *comm) { return comm->device; }

NCCL(ncclCommGetAsyncError, (ncclComm_t comm, ncclResult_t *asyncError), return ask(comm, (int *)asyncError, async_of);)
NCCL(ncclCommCount, (const ncclComm_t comm, int *count), return ask(comm, count, ranks_of);)
NCCL(ncclCommUserRank, (const ncclComm_t comm, int *rank), return ask(comm, rank, rank_of);)
NCCL(ncclCommCuDevice, (const ncclComm_t comm, int *device), return ask(comm, device, device_of);)
