// SPDX-License-Identifier: Apache-2.0
//
// libnccl: making communicators.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "nccl_job.h"

/* As the real one: a random number and the address of who gives it out. */
static void make_id(ncclUniqueId *id)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	uint64_t magic;
	if (getrandom(&magic, sizeof magic, 0) != sizeof magic)
		magic = nc_now() ^ (uint64_t)getpid() << 40;
	address.sin_port = htons((uint16_t)(32768 + (magic & 0x3fff)));
	memset(id, 0, sizeof *id);
	memcpy(id->internal, &magic, sizeof magic);
	memcpy(id->internal + sizeof magic, &address, sizeof address);
}

static ncclResult_t check_config(const ncclConfig_t *config)
{
	return config == NULL || config->magic == NCCL_API_MAGIC
		       ? ncclSuccess
		       : nc_fail(ncclInvalidArgument, "the configuration was not initialised");
}

static bool is_blocking(const ncclConfig_t *config, const struct nc_comm *parent)
{
	if (config == NULL || config->blocking == NCCL_CONFIG_UNDEF_INT)
		return parent == NULL || parent->blocking;
	return config->blocking != 0;
}

/* Adds the job with a new communicator, in a group of its own where none is open. */
static ncclResult_t begin(struct nc_job *job, const ncclConfig_t *config, int device)
{
	job->comm = nc_comm_new(device, is_blocking(config, job->parent));
	if (job->comm == NULL) {
		if (job->parent != NULL)
			nc_comm_done(job->parent);
		return nc_group_failed(nc_fail(ncclSystemError, "too many communicators"));
	}
	*job->newcomm = job->comm->handle;
	nc_group_enter();
	nc_group_add_job(job);
	return nc_group_leave();
}

static ncclResult_t check_rank(const ncclComm_t *newcomm, int ranks, int rank)
{
	if (newcomm == NULL)
		return nc_fail(ncclInvalidArgument, "no place for the communicator");
	if (ranks < 1 || ranks > NC_MAX_RANKS)
		return nc_fail(ncclInvalidArgument, "the number of ranks must be from 1 to 1024");
	if (rank < 0 || rank >= ranks)
		return nc_fail(ncclInvalidArgument, "the rank must be less than the number of ranks");
	return ncclSuccess;
}

static ncclResult_t init(ncclComm_t *newcomm, const struct nc_job *what, const ncclConfig_t *config, int device)
{
	struct nc_job job = *what;
	ncclResult_t result = check_rank(newcomm, job.ranks, job.rank);
	if (result == ncclSuccess)
		result = check_config(config);
	if (result != ncclSuccess)
		return nc_group_failed(result);
	job.newcomm = newcomm;
	job.has_id = true;
	job.run = nc_job_init;
	return begin(&job, config, device);
}

#define RANK(id_, rank_, ranks_) (&(struct nc_job){.id = id_, .rank = rank_, .ranks = ranks_})

NCCL(ncclGetUniqueId, (ncclUniqueId *uniqueId),
	if (uniqueId == NULL)
		return nc_fail(ncclInvalidArgument, "no place for the id");
	make_id(uniqueId);
	return ncclSuccess;)

NCCL(ncclCommInitRank, (ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank),
	return init(comm, RANK(commId, rank, nranks), NULL, 0);)

NCCL(ncclCommInitRankConfig, (ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank, ncclConfig_t *config),
	return init(comm, RANK(commId, rank, nranks), config, 0);)

/* As in the real library, the first id is the one that counts. */
NCCL(ncclCommInitRankScalable,
	(ncclComm_t *newcomm, int nranks, int myrank, int nId, ncclUniqueId *commIds, ncclConfig_t *config),
	if (nId < 1 || nId > nranks || commIds == NULL)
		return nc_fail(ncclInvalidArgument, "there must be at least one id and no more than ranks");
	return init(newcomm, RANK(commIds[0], myrank, nranks), config, 0);)

static ncclResult_t init_all(ncclComm_t *comms, int count, const int *devices)
{
	ncclUniqueId id;
	ncclResult_t result = ncclGetUniqueId(&id);
	nc_group_enter();
	for (int i = 0; i < count && result == ncclSuccess; i++)
		result = init(&comms[i], RANK(id, i, count), NULL, devices == NULL ? i : devices[i]);
	ncclResult_t group = nc_group_leave();
	return result == ncclSuccess ? group : result;
}

NCCL(ncclCommInitAll, (ncclComm_t *comm, int ndev, const int *devlist),
	if (comm == NULL || ndev < 1 || ndev > NC_MAX_RANKS)
		return nc_fail(ncclInvalidArgument, "no place for the communicators, or no devices");
	return init_all(comm, ndev, devlist);)

/* The parent, used, and the job's place among its children; NULL with *result set. */
static struct nc_comm *parent_of(ncclComm_t comm, const ncclComm_t *newcomm, const ncclConfig_t *config,
				 ncclResult_t *result)
{
	struct nc_comm *parent = nc_comm_use(comm, result);
	if (parent == NULL)
		return NULL;
	*result = nc_comm_fertile(parent);
	if (*result == ncclSuccess)
		*result = newcomm == NULL ? nc_fail(ncclInvalidArgument, "no place for the communicator") : check_config(config);
	if (*result == ncclSuccess)
		return parent;
	nc_comm_done(parent);
	return NULL;
}

static uint32_t next_child(struct nc_comm *parent)
{
	pthread_mutex_lock(&parent->lock);
	uint32_t child = ++parent->children;
	pthread_mutex_unlock(&parent->lock);
	return child;
}

static ncclResult_t split(struct nc_job *job, ncclComm_t comm, ncclConfig_t *config)
{
	ncclResult_t result;
	job->parent = parent_of(comm, job->newcomm, config, &result);
	if (job->parent == NULL)
		return nc_group_failed(result);
	if (nc_group_jobs_of(job->parent) >= NC_SPLITS / 2) {
		nc_comm_done(job->parent);
		return nc_group_failed(nc_fail(ncclInvalidUsage, "too many splits of a communicator in a group"));
	}
	job->child = next_child(job->parent);
	job->run = nc_job_split;
	return begin(job, config, job->parent->device);
}

NCCL(ncclCommSplit, (ncclComm_t comm, int color, int key, ncclComm_t *newcomm, ncclConfig_t *config),
	if (color < NCCL_SPLIT_NOCOLOR)
		return nc_group_failed(nc_fail(ncclInvalidArgument, "no such colour"));
	return split(&(struct nc_job){.color = color, .key = key, .newcomm = newcomm}, comm, config);)

/* The rank among those that stay, -1 for one that does not. */
static int rank_after(const struct nc_job *job, const int *excluded, int count)
{
	int rank = job->parent->rank;
	for (int i = 0; i < count; i++) {
		if (excluded[i] == job->parent->rank)
			return -1;
		rank -= excluded[i] < job->parent->rank;
	}
	return rank;
}

static ncclResult_t check_excluded(const struct nc_comm *parent, const int *excluded, int count)
{
	if (excluded == NULL || count < 1 || count >= parent->ranks)
		return nc_fail(ncclInvalidArgument, "there must be ranks to exclude, and not all");
	for (int i = 0; i < count; i++)
		for (int j = 0; j <= i; j++)
			if (excluded[i] < 0 || excluded[i] >= parent->ranks || (j < i && excluded[j] == excluded[i]))
				return nc_fail(ncclInvalidArgument, "a rank to exclude is none, or named twice");
	return ncclSuccess;
}

static ncclResult_t shrink(struct nc_job *job, const int *excluded, int count)
{
	ncclResult_t result = check_excluded(job->parent, excluded, count);
	if (result != ncclSuccess)
		return result;
	job->rank = rank_after(job, excluded, count);
	job->ranks = job->parent->ranks - count;
	return job->rank < 0 ? nc_fail(ncclInvalidArgument, "excluded ranks do not call it") : ncclSuccess;
}

NCCL(ncclCommShrink,
	(ncclComm_t comm, int *excludeRanksList, int excludeRanksCount, ncclComm_t *newcomm, ncclConfig_t *config,
		int shrinkFlags),
	ncclResult_t result;
	struct nc_job job = {.newcomm = newcomm};
	job.parent = parent_of(comm, newcomm, config, &result);
	if (job.parent == NULL)
		return nc_group_failed(result);
	result = shrink(&job, excludeRanksList, excludeRanksCount);
	if (result != ncclSuccess) {
		nc_comm_done(job.parent);
		return nc_group_failed(result);
	}
	if ((shrinkFlags & NCCL_SHRINK_ABORT) != 0) {
		nc_comm_set_state(job.parent, nc_revoked);
		nc_comm_interrupt(job.parent);
	}
	job.child = next_child(job.parent);
	job.run = nc_job_shrink;
	return begin(&job, config, job.parent->device);)

NCCL(ncclCommGetUniqueId, (ncclComm_t comm, ncclUniqueId *uniqueId),
	ncclResult_t result;
	struct nc_comm *parent = parent_of(comm, &comm, NULL, &result);
	if (parent == NULL)
		return result;
	pthread_mutex_lock(&parent->lock);
	if (uniqueId == NULL)
		result = nc_fail(ncclInvalidArgument, "no place for the id");
	else if (parent->growing)
		result = nc_fail(ncclInvalidUsage, "the last id was not used yet");
	else
		parent->growing = true;
	pthread_mutex_unlock(&parent->lock);
	nc_comm_done(parent);
	if (result == ncclSuccess)
		make_id(uniqueId);
	return result;)

/* A rank of the parent: with an id it tells the others, whose way to say that
 * they stay who they are is the rank -1. */
static ncclResult_t grow(struct nc_job *job, ncclComm_t comm, ncclConfig_t *config)
{
	ncclResult_t result;
	struct nc_comm *parent = parent_of(comm, job->newcomm, config, &result);
	if (parent == NULL)
		return nc_group_failed(result);
	if (job->rank != -1 || job->ranks <= parent->ranks || job->ranks > NC_MAX_RANKS) {
		nc_comm_done(parent);
		return nc_group_failed(nc_fail(ncclInvalidArgument, "more ranks are needed, and rank -1 of those that are there"));
	}
	pthread_mutex_lock(&parent->lock);
	job->child = ++parent->grown;
	parent->growing = parent->growing && !job->has_id;
	pthread_mutex_unlock(&parent->lock);
	job->parent = parent;
	job->rank = parent->rank;
	job->run = nc_job_grow;
	return begin(job, config, parent->device);
}

NCCL(ncclCommGrow,
	(ncclComm_t comm, int nRanks, const ncclUniqueId *uniqueId, int rank, ncclComm_t *newcomm, ncclConfig_t *config),
	struct nc_job job = {.rank = rank, .ranks = nRanks, .newcomm = newcomm, .has_id = uniqueId != NULL};
	if (uniqueId != NULL)
		job.id = *uniqueId;
	if (comm != NULL)
		return grow(&job, comm, config);
	if (uniqueId == NULL)
		return nc_group_failed(nc_fail(ncclInvalidArgument, "new ranks need the id"));
	return init(newcomm, &job, config, 0);)
