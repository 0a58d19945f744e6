// SPDX-License-Identifier: Apache-2.0
//
// libnccl: collectives, ncclSend and ncclRecv.
#include "nccl_group.h"

static const unsigned char datatype_bytes[ncclNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};

static bool reduces(enum nc_function function)
{
	return function == nc_all_reduce || function == nc_reduce_scatter || function == nc_reduce;
}

static ncclResult_t check(const struct nc_comm *comm, const struct nc_op *op)
{
	if ((unsigned)op->datatype >= ncclNumTypes)
		return nc_fail(ncclInvalidArgument, "no such datatype");
	if (reduces(op->function) && (unsigned)op->reduction >= ncclNumOps)
		return nc_fail(ncclInvalidArgument, "no such reduction");
	if (nc_rooted(op->function) && (op->root < 0 || op->root >= comm->ranks))
		return nc_fail(ncclInvalidArgument, "the root or peer is no rank of the communicator");
	return ncclSuccess;
}

static ncclResult_t add(struct nc_task *task)
{
	ncclResult_t result;
	struct nc_comm *comm = nc_comm_use(task->comm, &result);
	if (comm == NULL)
		return result;
	result = nc_comm_usable(comm);
	if (result == ncclSuccess)
		result = check(comm, &task->op);
	nc_comm_done(comm);
	if (result != ncclSuccess || task->op.count == 0) /* nothing to do is nothing done */
		return result;
	task->op.bytes = task->op.count * datatype_bytes[task->op.datatype];
	nc_group_add_task(task);
	return ncclSuccess;
}

static ncclResult_t call(struct nc_task *task)
{
	task->grouped = nc_self()->depth > 0;
	nc_group_enter();
	ncclResult_t result = nc_group_failed(add(task));
	ncclResult_t group = nc_group_leave();
	return result == ncclSuccess ? group : result;
}

/* The parameters of every function here have these names. */
#define CALL(kind, name_, elements, reduction_, root_)                                                        \
	return call(&(struct nc_task){                                                                        \
		.comm = comm,                                                                                 \
		.stream = stream,                                                                             \
		.op = {.function = kind, .name = name_, .count = elements, .datatype = (int)datatype,         \
		       .reduction = (int)(reduction_), .root = root_},                                        \
	});
#define NONE (-1)

NCCL(ncclAllReduce,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_all_reduce, "ncclAllReduce", count, op, NONE))
NCCL(ncclReduceScatter,
	(const void *sendbuff, void *recvbuff, size_t recvcount, ncclDataType_t datatype, ncclRedOp_t op, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_reduce_scatter, "ncclReduceScatter", recvcount, op, NONE))
NCCL(ncclAllGather,
	(const void *sendbuff, void *recvbuff, size_t sendcount, ncclDataType_t datatype, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_all_gather, "ncclAllGather", sendcount, NONE, NONE))
NCCL(ncclAlltoAll,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_all_to_all, "ncclAlltoAll", count, NONE, NONE))
NCCL(ncclReduce,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op, int root,
		ncclComm_t comm, cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_reduce, "ncclReduce", count, op, root))
NCCL(ncclBroadcast,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_broadcast, "ncclBroadcast", count, NONE, root))
NCCL(ncclBcast, (void *buff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm, cudaStream_t stream),
	return ncclBroadcast(buff, buff, count, datatype, root, comm, stream);)
NCCL(ncclGather,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_gather, "ncclGather", count, NONE, root))
NCCL(ncclScatter,
	(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
		cudaStream_t stream),
	(void)sendbuff; (void)recvbuff;
	CALL(nc_scatter, "ncclScatter", count, NONE, root))
NCCL(ncclSend, (const void *sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm, cudaStream_t stream),
	(void)sendbuff;
	CALL(nc_send, "ncclSend", count, NONE, peer))
NCCL(ncclRecv, (void *recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm, cudaStream_t stream),
	(void)recvbuff;
	CALL(nc_recv, "ncclRecv", count, NONE, peer))
