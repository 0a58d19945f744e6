/* SPDX-License-Identifier: Apache-2.0
 *
 * How operations of different ranks meet. Each has a position: collectives are
 * counted per communicator, ncclSend and ncclRecv per pair and direction, and
 * what has the same position belongs together.
 */
#ifndef FAKECUDA_NCCL_MEET_H
#define FAKECUDA_NCCL_MEET_H

#include "nccl_segment.h"

/* In this order: those that name no rank, those with a root, those with a peer. */
enum nc_function {
	nc_all_reduce,
	nc_reduce_scatter,
	nc_all_gather,
	nc_all_to_all,
	nc_reduce,
	nc_gather,
	nc_broadcast,
	nc_scatter,
	nc_send,
	nc_recv,
};

static inline bool nc_rooted(enum nc_function function) { return function >= nc_reduce; }
static inline bool nc_pairwise(enum nc_function function) { return function >= nc_send; }

/* One rank's side of an operation. Invariant: left implies arrived. */
struct nc_op {
	enum nc_function function;
	const char *name; /* as exported */
	uint64_t count, bytes;
	int datatype, reduction; /* reduction: -1 where there is none */
	int root;                /* the peer of ncclSend and ncclRecv; -1 where there is none */
	uint64_t position;
	uint32_t rank;
	bool arrived, left;
	uint64_t end; /* once it left */
};

/* Whose doorbells are to be rung: ranks[i] only where any. */
struct nc_rings {
	_Atomic bool any;
	_Atomic bool *ranks;
};

/* nc_op_ns is how long the operation takes after those that it needs have arrived. */
uint64_t nc_op_ns(const struct nc_op *op);

/* nc_op_arrive tells the others that this rank's stream reaches the operation
 * at `at`, and notes whose doorbells are to be rung because of it. False where the place of this position is not free yet:
 * ranks that run ahead wait for those that are NC_SLOTS behind. The doorbell rings then. */
bool nc_op_arrive(struct nc_segment *segment, struct nc_op *op, uint64_t at, struct nc_rings *rings);

/* nc_op_leave sets op->end when all that it needs have arrived, and then gives
 * its place back; false before. Never true for operations that differ from what
 * they met, unless the setting nccl_desync says so. The doorbell rings when it may be. */
bool nc_op_leave(struct nc_segment *segment, struct nc_op *op);

#endif
