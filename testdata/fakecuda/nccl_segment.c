// SPDX-License-Identifier: Apache-2.0
//
// Memory that the ranks of a communicator share.
#define _GNU_SOURCE
#include "nccl_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nccl.h"


#define FOLDER "/dev/shm"
#define PREFIX "fakenccl."

static void path_of(uint64_t key, char path[64]) { snprintf(path, 64, FOLDER "/" PREFIX "%016lx", (unsigned long)key); }

static size_t slot_bytes(uint32_t participants) { return sizeof(struct nc_slot) + participants * sizeof(struct nc_arrival); }

static size_t slots_at(uint32_t ranks)
{
	return (sizeof(struct nc_segment) + ranks * sizeof(struct nc_seat) + 63) / 64 * 64;
}

static size_t pairs_at(uint32_t ranks) { return slots_at(ranks) + NC_SLOTS * slot_bytes(ranks); }

/* Sparse: only what is used takes memory. */
static size_t segment_bytes(uint32_t ranks)
{
	return pairs_at(ranks) + (size_t)ranks * ranks * NC_PAIR_SLOTS * slot_bytes(2);
}

struct nc_slot *nc_slot_of_all(struct nc_segment *segment, uint64_t position)
{
	size_t index = (position - 1) % NC_SLOTS;
	return (void *)((char *)segment + slots_at(segment->ranks) + index * slot_bytes(segment->ranks));
}

struct nc_slot *nc_slot_of_pair(struct nc_segment *segment, uint32_t from, uint32_t to, uint64_t position)
{
	size_t index = ((size_t)from * segment->ranks + to) * NC_PAIR_SLOTS + (position - 1) % NC_PAIR_SLOTS;
	return (void *)((char *)segment + pairs_at(segment->ranks) + index * slot_bytes(2));
}

void nc_ring(struct nc_seat *seat)
{
	atomic_fetch_add(&seat->doorbell, 1);
	syscall(SYS_futex, &seat->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void nc_ring_others(struct nc_segment *segment, uint32_t rank)
{
	for (uint32_t i = 0; i < segment->ranks; i++)
		if (i != rank)
			nc_ring(&segment->seats[i]);
}

void nc_sleep(struct nc_seat *seat, uint32_t seen)
{
	syscall(SYS_futex, &seat->doorbell, FUTEX_WAIT, seen, NULL, NULL, 0);
}

/* Removes the file that is open where nobody else has it locked; false where somebody has. */
static bool remove_unused(int file, const char *path)
{
	if (flock(file, LOCK_EX | LOCK_NB) != 0)
		return false;
	struct stat st;
	if (fstat(file, &st) == 0 && st.st_nlink > 0)
		unlink(path);
	return true;
}

/* An unused file under the path, locked; -1 with errno EEXIST where there is one already. */
static int create(const char *path, uint32_t ranks)
{
	char self[64];
	int file = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		return -1;
	snprintf(self, sizeof self, "/proc/self/fd/%d", file);
	if (flock(file, LOCK_SH) == 0 && ftruncate(file, (off_t)segment_bytes(ranks)) == 0 &&
	    pwrite(file, &ranks, sizeof ranks, offsetof(struct nc_segment, ranks)) == sizeof ranks &&
	    linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
		return file;
	int error = errno;
	close(file);
	errno = error;
	return -1;
}

/* The file under the path, locked; -1 with errno ENOENT where there is none that others use. */
static int open_used(const char *path)
{
	struct stat st;
	int file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		return -1;
	if (!remove_unused(file, path) && flock(file, LOCK_SH) == 0 && fstat(file, &st) == 0 && st.st_nlink > 0)
		return file;
	close(file);
	errno = ENOENT;
	return -1;
}

static int open_or_create(const char *path, uint32_t ranks)
{
	for (;;) {
		int file = create(path, ranks);
		if (file >= 0 || errno != EEXIST)
			return file;
		file = open_used(path);
		if (file >= 0 || errno != ENOENT)
			return file;
	}
}

static ncclResult_t take_seat(const struct nc_joining *joining)
{
	uint32_t free = 0;
	struct nc_segment *segment = joining->segment;
	if (segment->ranks != joining->ranks)
		return nc_fail(ncclInvalidArgument, "the ranks of the communicator disagree on how many they are");
	if (!atomic_compare_exchange_strong(&segment->seats[joining->rank].taken, &free, 1))
		return nc_fail(ncclInvalidUsage, "the communicator has this rank already");
	if (atomic_fetch_add(&segment->joined, 1) + 1 == joining->ranks)
		nc_ring_others(segment, joining->rank);
	return ncclSuccess;
}

ncclResult_t nc_segment_join(struct nc_joining *joining)
{
	char path[64];
	struct stat st;
	path_of(joining->key, path);
	joining->file = open_or_create(path, joining->ranks);
	if (joining->file < 0 || fstat(joining->file, &st) != 0)
		return nc_fail(ncclSystemError, "cannot open shared memory in " FOLDER);
	size_t bytes = (size_t)st.st_size;
	joining->segment = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, joining->file, 0);
	if (joining->segment == MAP_FAILED) {
		nc_segment_gave_up(joining);
		return nc_fail(ncclSystemError, "cannot map shared memory");
	}
	ncclResult_t result = take_seat(joining);
	if (result != ncclSuccess) {
		munmap(joining->segment, bytes);
		nc_segment_gave_up(joining);
	}
	return result;
}

void nc_segment_joined(const struct nc_joining *joining)
{
	char path[64];
	struct stat named, own;
	path_of(joining->key, path);
	if (stat(path, &named) == 0 && fstat(joining->file, &own) == 0 && named.st_ino == own.st_ino)
		unlink(path);
	close(joining->file);
}

void nc_segment_gave_up(const struct nc_joining *joining)
{
	char path[64];
	path_of(joining->key, path);
	remove_unused(joining->file, path);
	close(joining->file);
}

void nc_segment_unmap(struct nc_segment *segment) { munmap(segment, segment_bytes(segment->ranks)); }

void nc_segments_sweep(void)
{
	DIR *folder = opendir(FOLDER);
	if (folder == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		int file = -1;
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			file = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
		if (file < 0)
			continue;
		if (flock(file, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
		close(file);
	}
	closedir(folder);
}
