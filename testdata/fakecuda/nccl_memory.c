// SPDX-License-Identifier: Apache-2.0
//
// The memory that a ncclComm_t points to. As in the real library, somewhere
// inside of it is a contiguous {commHash, rank, nRanks, cudaDev, nvmlDev, ...
// busId}; where it is differs from version to version, here by the setting
// nccl_layout. Around it are pointers, and what could be taken for it:
//
//   {commHash, nNodes, node}, {commHash, nRanks, no rank}
//   {pointer, rank, nRanks}, {0, rank, nRanks}, {another hash, rank, nRanks}, unless the setting nccl_decoys is 0
//
// Nothing in this library reads it.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nccl_comm.h"

#define COMMS_AT 0x620000000000ULL
#define STRIDE 0x100000 /* between communicators */
#define USED 0x30000    /* what is filled */
#define START_MAGIC 0x0280028002800280ULL

static const size_t layouts[] = {0x1a8, 0x5e38, 0x2b1c0};

struct identity {
	uint64_t comm_hash;
	int rank, ranks, cuda_device, nvml_device;
	int compute_capability, least_capability, greatest_capability, unused;
	int64_t bus_id;
	uint64_t operations;
};

/* What could be taken for an identity. */
struct decoy {
	uint64_t first;
	int rank, ranks;
};

static const size_t decoys_at[] = {0xc8, 0x2f0, 0x1c40, 0x9b58, 0x2c400};
static char *memory;
static pthread_once_t memory_once = PTHREAD_ONCE_INIT;

static void map_memory(void)
{
	size_t bytes = (size_t)NC_COMMS * STRIDE;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	memory = mmap((void *)COMMS_AT, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
	if (memory == MAP_FAILED)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (memory == MAP_FAILED)
		abort();
}

ncclComm_t nc_memory_of(unsigned index)
{
	pthread_once(&memory_once, map_memory);
	return (void *)(memory + (size_t)index * STRIDE);
}

int nc_memory_index(ncclComm_t handle)
{
	uintptr_t from = (uintptr_t)memory, at = (uintptr_t)handle;
	if (from == 0 || at < from || at >= from + (size_t)NC_COMMS * STRIDE || (at - from) % STRIDE != 0)
		return -1;
	return (int)((at - from) / STRIDE);
}

void nc_memory_free(ncclComm_t handle) { madvise(handle, STRIDE, MADV_DONTNEED); }

static struct identity *identity_of(const struct nc_comm *comm)
{
	return (void *)((char *)comm->handle + layouts[comm->layout % (sizeof layouts / sizeof layouts[0])]);
}

/* Pointers, small numbers and text, as members of the real one are. */
static void fill(const struct nc_comm *comm)
{
	uint64_t *words = (void *)comm->handle;
	words[0] = START_MAGIC;
	for (size_t i = 1; i < USED / sizeof *words; i++) {
		if (i % 8 == 1)
			words[i] = (uintptr_t)&words[i + 16];
		else if (i % 8 == 3)
			words[i] = (uintptr_t)comm;
		else if (i % 64 == 5)
			memcpy(&words[i], "NCCLcomm", 8);
		else if (i % 16 == 7)
			words[i] = (uint64_t)i << 32 | 16;
	}
}

static void put(const struct nc_comm *comm, size_t at, struct decoy decoy)
{
	struct identity *identity = identity_of(comm);
	size_t from = (size_t)((char *)identity - (char *)comm->handle);
	if (at + sizeof decoy <= from || at >= from + sizeof *identity)
		memcpy((char *)comm->handle + at, &decoy, sizeof decoy);
}

void nc_memory_begin(const struct nc_comm *comm)
{
	fill(comm);
	*identity_of(comm) = (struct identity){
		.rank = comm->rank,
		.ranks = comm->ranks,
		.cuda_device = comm->device,
		.nvml_device = comm->rank % 8,
		.compute_capability = 90,
		.least_capability = 90,
		.greatest_capability = 90,
		.bus_id = 0x1b000 + (int64_t)(comm->rank % 8) * 0x10000,
	};
	if (!nc_settings.nccl_decoys)
		return;
	put(comm, decoys_at[0], (struct decoy){(uintptr_t)comm, comm->rank, comm->ranks});
	put(comm, decoys_at[3], (struct decoy){0, comm->rank, comm->ranks});
}

void nc_memory_complete(const struct nc_comm *comm)
{
	if (nc_settings.nccl_decoys)
		put(comm, decoys_at[1], (struct decoy){~comm->hash, comm->rank, comm->ranks});
	put(comm, decoys_at[2], (struct decoy){comm->hash, 1, 0});
	put(comm, decoys_at[4], (struct decoy){comm->hash, comm->ranks, -1});
	atomic_store((_Atomic uint64_t *)&identity_of(comm)->comm_hash, comm->hash);
}

uint64_t nc_hash(const void *bytes, size_t n)
{
	uint64_t hash = 5381;
	for (const char *c = bytes, *end = c + n; c < end; c++)
		hash = (hash * 33) ^ (uint64_t)(int64_t)*c;
	return hash;
}

/* Any other hash would do. */
uint64_t nc_new_hash(uint64_t hash)
{
	hash = (hash ^ hash >> 31) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

uint64_t nc_child_hash(uint64_t parent, uint32_t child, int32_t color)
{
	struct {
		uint64_t parent;
		uint32_t child;
		int32_t color;
	} what = {parent, child, color};
	return nc_hash(&what, sizeof what);
}
