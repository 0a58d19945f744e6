/* SPDX-License-Identifier: Apache-2.0
 *
 * Communicators.
 */
#ifndef FAKECUDA_NCCL_COMM_H
#define FAKECUDA_NCCL_COMM_H

#include <pthread.h>

#include "nccl.h"
#include "nccl_meet.h"

enum nc_state {
	nc_unused,
	nc_starting,  /* the job that makes it has not ended */
	nc_broken,    /* that job failed: only to be destroyed or aborted */
	nc_ready,
	nc_finalized, /* no operations any more, only to be destroyed */
	nc_revoked,   /* no operations any more */
	nc_gone,      /* destroyed or aborted: the handle is not valid any more */
};

struct nc_launch;

/* Invariants: the handle leads to the communicator until it is used again, which
 * is not before all other handles were; the members above `enqueue` do not
 * change once it is ready; those below `lock` are guarded by it. lock inherits
 * priority, and is never held while CUDA, or anything that may wait, is called. */
struct nc_comm {
	ncclComm_t handle; /* memory that looks like the real one's (nccl_memory.c) */
	unsigned long long layout;
	uint64_t key;  /* of the segment: the hash of NCCL up to 2.25 */
	uint64_t hash; /* commHash */
	int rank, ranks, device;
	bool blocking;
	struct nc_segment *segment; /* NULL while not joined */
	struct nc_seat *seat;       /* its own in the segment */
	CUevent finished, before;   /* recorded after every launch; before launches for several streams */
	pthread_t progress;
	bool has_progress;
	struct nc_rings rings; /* for the progress thread */

	pthread_mutex_t enqueue; /* held while operations get their positions; taken before lock */
	uint64_t position;       /* of the last collective */
	uint64_t *sent, *received; /* the same per peer */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* users, launches */
	_Atomic(enum nc_state) state;
	ncclResult_t async; /* what ncclCommGetAsyncError tells */
	unsigned users;     /* calls and jobs that use it */
	unsigned launches;  /* not ended */
	unsigned children, grown;
	bool closing;
	bool growing;              /* an id for ncclCommGrow was given out */
	struct nc_launch *reached; /* launches that their streams reached and that have not ended */
	struct nc_seat *waiting_at; /* whose doorbell its job waits for, or NULL */
	_Atomic bool stopping;      /* the progress thread is to end */
	_Atomic bool aborted;
};

/* nc_comm_new makes a communicator in the state nc_starting, used by its caller;
 * NULL where there is no room. */
struct nc_comm *nc_comm_new(int device, bool blocking);
/* nc_comm_identify says which rank it is; false where there is no memory. */
bool nc_comm_identify(struct nc_comm *comm, uint64_t key, int rank, int ranks);
/* nc_comm_joined says what memory it shares with the other ranks. */
void nc_comm_joined(struct nc_comm *comm, struct nc_segment *segment);
/* nc_comm_started ends nc_starting: as ready, or broken where the result is an error. */
void nc_comm_started(struct nc_comm *comm, ncclResult_t result);

/* nc_comm_use returns the communicator of a handle, used by the caller until
 * nc_comm_done; NULL, with *result set, for what is no handle or gone. */
struct nc_comm *nc_comm_use(ncclComm_t handle, ncclResult_t *result);
void nc_comm_done(struct nc_comm *comm);
/* nc_comm_usable: whether operations, and with revoked children, may be begun now. */
ncclResult_t nc_comm_usable(struct nc_comm *comm);
ncclResult_t nc_comm_fertile(struct nc_comm *comm);
void nc_comm_set_async(struct nc_comm *comm, ncclResult_t result);
void nc_comm_set_state(struct nc_comm *comm, enum nc_state state);

/* nc_comm_interrupt ends what its GPU streams have reached of it now, and what
 * they reach later then. The state must allow no operations any more. */
void nc_comm_interrupt(struct nc_comm *comm);
/* nc_comm_quiet returns when no launch is unfinished. */
void nc_comm_quiet(struct nc_comm *comm);
/* nc_comm_close gives everything back once nobody else uses it, and the caller's use. */
void nc_comm_close(struct nc_comm *comm);

/* nc_comm_wait returns true when the condition holds, which is looked at whenever
 * the seat's doorbell rings, and false when the communicator or `with`, if there
 * is one, is aborted: nc_comm_abort_waits. */
struct nc_condition {
	bool (*holds)(const void *arg);
	const void *arg;
};
bool nc_comm_wait(struct nc_comm *comm, struct nc_comm *with, struct nc_seat *seat, const struct nc_condition *condition);
void nc_comm_abort_waits(struct nc_comm *comm);

/* The memory behind handles (nccl_memory.c). */
#define NC_COMMS 1024
ncclComm_t nc_memory_of(unsigned index);
/* nc_memory_index is -1 for what is no handle. */
int nc_memory_index(ncclComm_t handle);
/* nc_memory_begin fills in what is known at first, nc_memory_complete the rest. */
void nc_memory_begin(const struct nc_comm *comm);
void nc_memory_complete(const struct nc_comm *comm);
void nc_memory_free(ncclComm_t handle);

/* nc_hash is the hash of NCCL up to 2.25: DJB2a over chars, which are signed
 * on amd64. */
uint64_t nc_hash(const void *bytes, size_t n);
/* nc_child_hash is that of a child: nc_hash over the hash of its parent, the
 * how-manieth child it is, from 1, and the colour, in 8, 4 and 4 bytes. */
uint64_t nc_child_hash(uint64_t parent, uint32_t child, int32_t color);
/* nc_new_hash plays the hashes of later versions, which cannot be computed from the id here. */
uint64_t nc_new_hash(uint64_t hash);

#endif
