/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups: what a thread called and will be done at the outermost ncclGroupEnd.
 * A call outside of a group is a group of its own.
 */
#ifndef FAKECUDA_NCCL_GROUP_H
#define FAKECUDA_NCCL_GROUP_H

#include "nccl_launch.h"

/* Making a communicator, or finalizing one (nccl_job.c). A job uses its
 * communicators from when it is added until it has run. */
struct nc_job {
	struct nc_job *next;
	ncclResult_t (*run)(struct nc_job *job);
	struct nc_comm *comm, *parent; /* parent: NULL where there is none */
	ncclComm_t *newcomm;           /* NULL where none is made */
	ncclUniqueId id;
	bool has_id;
	int rank, ranks, color, key;
	uint32_t child;
	pthread_t thread;
	ncclResult_t result;
};

/* nc_group_enter opens a group of the calling thread; nc_group_leave closes it,
 * and where it is the outermost does what was added: the jobs, then the tasks.
 * ncclInProgress where a non-blocking communicator is among them: another thread does it. */
void nc_group_enter(void);
ncclResult_t nc_group_leave(void);
/* Both copy what they are given into the open group. */
void nc_group_add_task(const struct nc_task *task);
void nc_group_add_job(const struct nc_job *job);
/* nc_group_jobs_of counts the children of a communicator that the open group makes. */
unsigned nc_group_jobs_of(const struct nc_comm *parent);
/* nc_group_failed makes the group fail with the result of one of its calls. */
ncclResult_t nc_group_failed(ncclResult_t result);
void nc_group_free(struct nc_group *group);

#endif
