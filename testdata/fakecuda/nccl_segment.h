/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory that the ranks of one communicator share: a file in /dev/shm that
 * is named after the communicator's key until all ranks have mapped it, and has
 * no name afterwards, so that nothing stays behind whoever is killed then. A
 * rank holds a shared lock on the file while it has a name: a file that nobody
 * locks is left over from ranks that were killed, and whoever comes next removes it.
 *
 * All members that ranks write are atomic or written by one rank before an
 * atomic store that publishes them. No rank ever waits for a lock that another
 * process holds.
 */
#ifndef FAKECUDA_NCCL_SEGMENT_H
#define FAKECUDA_NCCL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fakenccl.h"

#define NC_MAX_RANKS 1024
#define NC_SLOTS 256     /* operations of a communicator that not all ranks have left yet */
#define NC_PAIR_SLOTS 32 /* the same of ncclSend and ncclRecv, per pair and direction */
#define NC_SPLITS 16     /* twice the splits of one communicator in a group */

/* A rank's place. The doorbell is a futex: it changes when something changed
 * that this rank may be waiting for. */
struct nc_seat {
	_Atomic uint32_t taken, doorbell;
	struct nc_split {
		_Atomic uint64_t count; /* the how-manieth child this is about */
		int color, key;
	} splits[NC_SPLITS];
};

/* Where the n participants of one operation meet (nccl_meet.c). */
struct nc_slot {
	_Atomic uint64_t round; /* serves position round * slots + index + 1 */
	_Atomic uint64_t end;   /* of an operation that ends at the same time for all; 0: not known */
	_Atomic uint32_t arrived, left;
	struct nc_arrival {
		_Atomic uint64_t at; /* 0: has not arrived */
		uint64_t what;       /* published by `at` */
	} arrivals[];
};

struct nc_segment {
	uint32_t ranks;
	_Atomic uint32_t joined;
	_Atomic uint32_t blocked; /* 1: a rank may be waiting for a slot to become free */
	_Atomic uint64_t grown;   /* how many times grow_id was given */
	ncclUniqueId grow_id;
	struct nc_seat seats[];
	/* then NC_SLOTS slots of all ranks, then NC_PAIR_SLOTS slots of two per ordered pair */
};

/* A rank that joins a segment. file is open until the rank waits no longer for the others. */
struct nc_joining {
	uint64_t key;
	uint32_t ranks, rank;
	struct nc_segment *segment;
	int file;
};

/* nc_segment_join maps the segment of the key and takes the rank's seat: it sets segment and file. */
ncclResult_t nc_segment_join(struct nc_joining *joining);
/* nc_segment_joined: all ranks have joined, the name is not needed any more. */
void nc_segment_joined(const struct nc_joining *joining);
/* nc_segment_gave_up: this rank does not wait any longer. Removes the file where no other rank has it. */
void nc_segment_gave_up(const struct nc_joining *joining);
void nc_segment_unmap(struct nc_segment *segment);
/* nc_segments_sweep removes what killed ranks left. */
void nc_segments_sweep(void);

struct nc_slot *nc_slot_of_all(struct nc_segment *segment, uint64_t position);
struct nc_slot *nc_slot_of_pair(struct nc_segment *segment, uint32_t from, uint32_t to, uint64_t position);

void nc_ring(struct nc_seat *seat);
void nc_ring_others(struct nc_segment *segment, uint32_t rank);
/* nc_sleep returns when the doorbell is not `seen` any more; perhaps earlier. */
void nc_sleep(struct nc_seat *seat, uint32_t seen);

#endif
