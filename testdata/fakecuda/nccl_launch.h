/* SPDX-License-Identifier: Apache-2.0
 *
 * Launches: what one call, or the operations of a group on one communicator,
 * put into GPU streams. A launch ends when all its operations have.
 */
#ifndef FAKECUDA_NCCL_LAUNCH_H
#define FAKECUDA_NCCL_LAUNCH_H

#include "nccl_comm.h"

/* The thread that called, as operations are reported. */
struct nc_caller {
	int tid;
	char name[16];
};

/* Invariant: it is in its communicator's `reached` from when its GPU stream
 * reached it until whoever takes it out ends it. */
struct nc_launch {
	struct fakecuda_gate gate; /* first */
	struct nc_comm *comm;
	struct nc_launch *next;          /* in `reached` */
	struct nc_launch *older, *newer; /* of all that are reported */
	struct nc_caller caller;
	_Atomic int open; /* how many are to come of its two ends, that of the call and that on the stream */
	bool grouped, aborted;
	uint64_t called_ns, reached_ns, end_ns;
	unsigned count;
	struct nc_op ops[];
};

/* An operation that was called and not launched. */
struct nc_task {
	struct nc_task *next;
	ncclComm_t comm;
	cudaStream_t stream;
	bool grouped;
	struct nc_op op;
};

/* nc_launch puts the tasks, all of this communicator and at least one, into
 * their GPU streams. On success *launch is to be given to nc_launch_called. */
ncclResult_t nc_launch(struct nc_comm *comm, const struct nc_task *tasks, const struct nc_caller *caller,
		       struct nc_launch **launch);
/* nc_launch_called: the call that launched it is over at `at`. */
void nc_launch_called(struct nc_launch *launch, uint64_t at);

/* Of the launches that were reached: nc_launches_arrive has those arrive that
 * could not before, nc_launches_leave ends those that can end. */
void nc_launches_arrive(struct nc_comm *comm);
void nc_launches_leave(struct nc_comm *comm);
/* nc_launches_abort ends those that were reached. */
void nc_launches_abort(struct nc_comm *comm);

/* The library's device code (nccl_kernels.c). It is loaded once per process. */
ncclResult_t nc_kernels_load(void);
CUfunction nc_kernel(enum nc_function function);

/* Reports (nccl_report.c). nc_caller_self is all zeros while nobody watches,
 * and the launches of such callers are not reported. */
struct nc_caller nc_caller_self(void);
void nc_report_expect(struct nc_launch *launch);
void nc_report_forget(struct nc_launch *launch);
void nc_report(const struct nc_launch *launch);
void nc_reports_forked(void);

#endif
