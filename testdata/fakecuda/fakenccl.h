/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of nccl.h 2.30 that the simulated stack offers: types with the
 * layout, prototypes with the argument order and result codes with the values
 * of the real header. See README.md for what the functions do here.
 */
#ifndef FAKENCCL_H
#define FAKENCCL_H

#include <limits.h>

#include "fakecuda.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NCCL_VERSION_CODE 23007
#define NCCL_UNIQUE_ID_BYTES 128
#define NCCL_CONFIG_UNDEF_INT INT_MIN
#define NCCL_SPLIT_NOCOLOR (-1)
#define NCCL_SHRINK_ABORT 0x01
#define NCCL_API_MAGIC 0xcafebeef

typedef struct ncclComm *ncclComm_t;
typedef struct {
	char internal[NCCL_UNIQUE_ID_BYTES];
} ncclUniqueId;

typedef enum {
	ncclSuccess = 0,
	ncclUnhandledCudaError = 1,
	ncclSystemError = 2,
	ncclInternalError = 3,
	ncclInvalidArgument = 4,
	ncclInvalidUsage = 5,
	ncclRemoteError = 6,
	ncclInProgress = 7
} ncclResult_t;

typedef enum {
	ncclInt8 = 0,
	ncclUint8 = 1,
	ncclInt32 = 2,
	ncclUint32 = 3,
	ncclInt64 = 4,
	ncclUint64 = 5,
	ncclFloat16 = 6,
	ncclFloat32 = 7,
	ncclFloat64 = 8,
	ncclBfloat16 = 9,
	ncclFloat8e4m3 = 10,
	ncclFloat8e5m2 = 11,
	ncclNumTypes = 12
} ncclDataType_t;

typedef enum { ncclSum = 0, ncclProd = 1, ncclMax = 2, ncclMin = 3, ncclAvg = 4, ncclNumOps = 5 } ncclRedOp_t;

typedef struct ncclConfig {
	size_t size;
	unsigned int magic, version;
	int blocking, cgaClusterSize, minCTAs, maxCTAs;
	const char *netName;
	int splitShare, trafficClass;
	const char *commName;
	int collnetEnable, CTAPolicy, shrinkShare, nvlsCTAs, nChannelsPerNetPeer, nvlinkCentricSched, graphUsageMode,
		numRmaCtx;
} ncclConfig_t;

FC_ASSERT(sizeof(ncclUniqueId) == 128, "ncclUniqueId");
FC_ASSERT(offsetof(ncclConfig_t, blocking) == 16, "ncclConfig_t.blocking");
FC_ASSERT(offsetof(ncclConfig_t, netName) == 32, "ncclConfig_t.netName");
FC_ASSERT(offsetof(ncclConfig_t, commName) == 48, "ncclConfig_t.commName");

/* FAKENCCL_LATE: the program is not linked to the library, every address is NULL.
 * FAKENCCL_HIDDEN: the functions are hidden inside of another library. */
#if defined(FAKENCCL_LATE)
#define NC_API __attribute__((weak))
#elif defined(FAKENCCL_HIDDEN)
#define NC_API __attribute__((visibility("hidden")))
#else
#define NC_API __attribute__((visibility("default")))
#endif
#if defined(FAKENCCL_LATE)
#define NC_CONTROL __attribute__((weak))
#define NC_LINKED(name) (name != NULL)
#else
#define NC_CONTROL __attribute__((visibility("default")))
#define NC_LINKED(name) 1
#endif
#define NC(name, params)                \
	NC_API ncclResult_t name params;  \
	NC_API ncclResult_t p##name params

/* Communicators. */
NC(ncclGetVersion, (int *version));
NC(ncclGetUniqueId, (ncclUniqueId *uniqueId));
NC(ncclCommInitRank, (ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank));
NC(ncclCommInitRankConfig, (ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank, ncclConfig_t *config));
NC(ncclCommInitRankScalable, (ncclComm_t *newcomm, int nranks, int myrank, int nId, ncclUniqueId *commIds,
	ncclConfig_t *config));
NC(ncclCommInitAll, (ncclComm_t *comm, int ndev, const int *devlist));
NC(ncclCommSplit, (ncclComm_t comm, int color, int key, ncclComm_t *newcomm, ncclConfig_t *config));
NC(ncclCommShrink, (ncclComm_t comm, int *excludeRanksList, int excludeRanksCount, ncclComm_t *newcomm,
	ncclConfig_t *config, int shrinkFlags));
NC(ncclCommGetUniqueId, (ncclComm_t comm, ncclUniqueId *uniqueId));
NC(ncclCommGrow, (ncclComm_t comm, int nRanks, const ncclUniqueId *uniqueId, int rank, ncclComm_t *newcomm,
	ncclConfig_t *config));
NC(ncclCommFinalize, (ncclComm_t comm));
NC(ncclCommDestroy, (ncclComm_t comm));
NC(ncclCommAbort, (ncclComm_t comm));
NC(ncclCommRevoke, (ncclComm_t comm, int revokeFlags));
NC(ncclCommGetAsyncError, (ncclComm_t comm, ncclResult_t *asyncError));
NC(ncclCommCount, (const ncclComm_t comm, int *count));
NC(ncclCommCuDevice, (const ncclComm_t comm, int *device));
NC(ncclCommUserRank, (const ncclComm_t comm, int *rank));
NC_API const char *ncclGetErrorString(ncclResult_t result);
NC_API const char *pncclGetErrorString(ncclResult_t result);
NC_API const char *ncclGetLastError(ncclComm_t comm);
NC_API const char *pncclGetLastError(ncclComm_t comm);

/* Communication. */
NC(ncclAllReduce, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op,
	ncclComm_t comm, cudaStream_t stream));
NC(ncclReduceScatter, (const void *sendbuff, void *recvbuff, size_t recvcount, ncclDataType_t datatype, ncclRedOp_t op,
	ncclComm_t comm, cudaStream_t stream));
NC(ncclAllGather, (const void *sendbuff, void *recvbuff, size_t sendcount, ncclDataType_t datatype, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclReduce, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op, int root,
	ncclComm_t comm, cudaStream_t stream));
NC(ncclBroadcast, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclBcast, (void *buff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm, cudaStream_t stream));
NC(ncclAlltoAll, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclGather, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclScatter, (const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclSend, (const void *sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
	cudaStream_t stream));
NC(ncclRecv, (void *recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm, cudaStream_t stream));
NC(ncclGroupStart, (void));
NC(ncclGroupEnd, (void));

/* Controls of the simulation. fakenccl_set changes a setting of the process
 * (README.md, Settings); -1 for an unknown name. */
NC_CONTROL int fakenccl_set(const char *name, unsigned long long value);

/* The calling thread's calls, as fakecuda_driver_calls. */
NC_CONTROL void fakenccl_calls(fakecuda_visit visit, void *arg);

/* What really happened to an operation of this rank. Times are CLOCK_MONOTONIC
 * nanoseconds. */
struct fakenccl_operation {
	uint64_t communicator; /* commHash */
	uint64_t sequence;     /* from 1: per communicator, of ncclSend and ncclRecv per pair and direction; 0: captured */
	int rank, ranks, root, peer; /* root and peer: -1 where there is none */
	int tid;                     /* of the thread that called it */
	char thread[16];
	const char *function;
	uint64_t count, bytes;
	int datatype, reduction; /* reduction: -1 where there is none */
	int grouped, captured;
	uint64_t enqueue_ns; /* end of the call or of the outermost ncclGroupEnd; on non-blocking communicators of the launch */
	uint64_t start_ns;   /* when the GPU stream reached it; 0: it did not */
	uint64_t end_ns;     /* when the GPU stream went on; 0: it did not */
	int aborted;         /* ended by ncclCommAbort, ncclCommRevoke or ncclCommShrink */
};

/* fakenccl_watch has visit called once per operation: when it has ended and its
 * call is over, on any thread; for those that had not, by fakenccl_unfinished. */
typedef void (*fakenccl_visit)(void *arg, const struct fakenccl_operation *operation);
NC_CONTROL void fakenccl_watch(fakenccl_visit visit, void *arg);
NC_CONTROL void fakenccl_unfinished(void);

/* A library that NCCL is linked into, with or without its functions hidden:
 * returns the function of that name, or NULL. */
__attribute__((weak, visibility("default"))) void *faketorch_function(const char *name);

#ifdef __cplusplus
}
#endif
#endif
