// SPDX-License-Identifier: Apache-2.0
//
// What makes communicators: the work of ncclCommInit..., Split, Shrink and Grow
// that waits for the other ranks.
#include "nccl_job.h"

/* Whether all ranks have joined the segment. */
static bool all_joined(const void *arg)
{
	const struct nc_segment *segment = arg;
	return atomic_load(&segment->joined) == segment->ranks;
}

static ncclResult_t meet(struct nc_comm *comm)
{
	struct nc_joining joining = {.key = comm->key, .ranks = (uint32_t)comm->ranks, .rank = (uint32_t)comm->rank};
	ncclResult_t result = nc_segment_join(&joining);
	if (result != ncclSuccess)
		return result;
	nc_comm_joined(comm, joining.segment);
	if (!nc_comm_wait(comm, NULL, comm->seat, &(struct nc_condition){all_joined, joining.segment})) {
		nc_segment_gave_up(&joining);
		return nc_fail(ncclInvalidUsage, "aborted");
	}
	nc_segment_joined(&joining);
	return ncclSuccess;
}

static ncclResult_t start(struct nc_comm *comm, uint64_t key, int rank, int ranks)
{
	nc_segments_sweep();
	if (!nc_comm_identify(comm, key, rank, ranks))
		return nc_fail(ncclSystemError, "out of memory");
	if (cuEventCreate(&comm->finished, 0) != CUDA_SUCCESS || cuEventCreate(&comm->before, 0) != CUDA_SUCCESS)
		return nc_fail(ncclUnhandledCudaError, "cannot create events");
	ncclResult_t result = nc_kernels_load();
	return result == ncclSuccess ? meet(comm) : result;
}

/* Ends every job that makes a communicator. */
static ncclResult_t started(struct nc_job *job, ncclResult_t result)
{
	nc_comm_started(job->comm, result);
	return result;
}

ncclResult_t nc_job_init(struct nc_job *job)
{
	return started(job, start(job->comm, nc_hash(&job->id, sizeof job->id), job->rank, job->ranks));
}

ncclResult_t nc_job_shrink(struct nc_job *job)
{
	uint64_t key = nc_child_hash(job->parent->key, job->child, 0);
	return started(job, start(job->comm, key, job->rank, job->ranks));
}

/* Split: the ranks of the parent tell each other their colours and keys. */

static struct nc_split *split_of(const struct nc_job *job, uint32_t rank)
{
	return &job->parent->segment->seats[rank].splits[job->child % NC_SPLITS];
}

static bool all_told(const void *arg)
{
	const struct nc_job *job = arg;
	for (uint32_t rank = 0; rank < job->parent->segment->ranks; rank++)
		if (atomic_load(&split_of(job, rank)->count) != job->child)
			return false;
	return true;
}

static bool exchange(struct nc_job *job)
{
	struct nc_comm *parent = job->parent;
	struct nc_split *own = split_of(job, (uint32_t)parent->rank);
	own->color = job->color;
	own->key = job->key;
	atomic_store(&own->count, job->child);
	nc_ring_others(parent->segment, (uint32_t)parent->rank);
	return nc_comm_wait(job->comm, parent, parent->seat, &(struct nc_condition){all_told, job});
}

/* The rank in the child, and how many ranks the child has. */
static void place_in_child(struct nc_job *job)
{
	job->rank = job->ranks = 0;
	for (int rank = 0; rank < job->parent->ranks; rank++) {
		const struct nc_split *other = split_of(job, (uint32_t)rank);
		if (other->color != job->color)
			continue;
		job->ranks++;
		job->rank += other->key < job->key || (other->key == job->key && rank < job->parent->rank);
	}
}

ncclResult_t nc_job_split(struct nc_job *job)
{
	if (!exchange(job))
		return started(job, nc_fail(ncclInvalidUsage, "aborted"));
	if (job->color == NCCL_SPLIT_NOCOLOR) {
		*job->newcomm = NULL;
		nc_comm_set_state(job->comm, nc_gone);
		return ncclSuccess;
	}
	place_in_child(job);
	uint64_t key = nc_child_hash(job->parent->key, job->child, job->color);
	return started(job, start(job->comm, key, job->rank, job->ranks));
}

/* Grow: one of the ranks of the parent knows the id, and tells the others. */

static bool id_told(const void *arg)
{
	const struct nc_job *job = arg;
	return atomic_load(&job->parent->segment->grown) >= job->child;
}

static bool share_id(struct nc_job *job)
{
	struct nc_segment *segment = job->parent->segment;
	if (!job->has_id && !nc_comm_wait(job->comm, job->parent, job->parent->seat, &(struct nc_condition){id_told, job}))
		return false;
	if (!job->has_id) {
		job->id = segment->grow_id;
		return true;
	}
	segment->grow_id = job->id;
	atomic_store(&segment->grown, job->child);
	nc_ring_others(segment, (uint32_t)job->parent->rank);
	return true;
}

ncclResult_t nc_job_grow(struct nc_job *job)
{
	if (job->parent != NULL && !share_id(job))
		return started(job, nc_fail(ncclInvalidUsage, "aborted"));
	return nc_job_init(job);
}

ncclResult_t nc_job_finalize(struct nc_job *job)
{
	nc_comm_quiet(job->comm);
	nc_comm_set_state(job->comm, nc_finalized);
	nc_comm_set_async(job->comm, ncclSuccess);
	return ncclSuccess;
}
