/* SPDX-License-Identifier: Apache-2.0
 *
 * What jobs do (nccl_group.h): each runs once, and waits for the same job of
 * the other ranks.
 */
#ifndef FAKECUDA_NCCL_JOB_H
#define FAKECUDA_NCCL_JOB_H

#include "nccl_group.h"

ncclResult_t nc_job_init(struct nc_job *job);
ncclResult_t nc_job_split(struct nc_job *job);
ncclResult_t nc_job_shrink(struct nc_job *job);
ncclResult_t nc_job_grow(struct nc_job *job);
ncclResult_t nc_job_finalize(struct nc_job *job);

#endif
