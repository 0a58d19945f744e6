// SPDX-License-Identifier: Apache-2.0
//
// Statements about files and pipes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects.h"
#include "run.h"
#include "truth.h"

#define CHUNK (1 << 20)

static void write_chunks(const struct node *node, int fd, uint64_t bytes)
{
	char *buffer;
	if (posix_memalign((void **)&buffer, 4096, CHUNK) != 0)
		abort();
	memset(buffer, 0x5a, CHUNK);
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		size_t n = bytes - at < CHUNK ? (size_t)(bytes - at) : CHUNK;
		if (pwrite(fd, buffer, n, (off_t)at) < 0)
			script_fail(node, strerror(errno));
	}
	free(buffer);
}

/* Makes the file long enough and puts it on the disk. */
static void prepare(const struct node *node, const char *path, uint64_t bytes)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) != 0)
		script_fail(node, strerror(errno));
	if ((uint64_t)st.st_size < bytes) {
		write_chunks(node, fd, bytes);
		fsync(fd);
	}
	close(fd);
}

static void do_make_file(struct actor *actor, const struct node *node)
{
	(void)actor;
	prepare(node, node->argv[1], run_number(node, node->argv[2]));
}

static void drop_cache(int fd)
{
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void do_read_file(struct actor *actor, const struct node *node)
{
	uint64_t bytes = run_number(node, node->argv[2]), chunk = run_number(node, run_word(node, "chunk", "128k"));
	bool direct = run_flag(node, "direct");
	char *buffer;
	prepare(node, node->argv[1], bytes);
	int fd = open(node->argv[1], O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	if (fd < 0)
		script_fail(node, strerror(errno));
	if (chunk == 0 || posix_memalign((void **)&buffer, 4096, chunk) != 0)
		script_fail(node, "chunk");
	if (run_flag(node, "cold"))
		drop_cache(fd);
	uint64_t start = truth_now();
	for (uint64_t at = 0; at < bytes; at += chunk)
		if (pread(fd, buffer, chunk, (off_t)at) < 0)
			script_fail(node, strerror(errno));
	truth_wait(actor, "read_file", node->argv[1], start, 0);
	free(buffer);
	close(fd);
}

static void do_write_file(struct actor *actor, const struct node *node)
{
	int fd = open(node->argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		script_fail(node, strerror(errno));
	uint64_t start = truth_now();
	write_chunks(node, fd, run_number(node, node->argv[2]));
	if (run_flag(node, "fsync") && fsync(fd) != 0)
		script_fail(node, strerror(errno));
	truth_wait(actor, "write_file", node->argv[1], start, 0);
	close(fd);
}

static void do_touch_pages(struct actor *actor, const struct node *node)
{
	uint64_t bytes = run_number(node, node->argv[2]);
	prepare(node, node->argv[1], bytes);
	int fd = open(node->argv[1], O_RDONLY | O_CLOEXEC);
	drop_cache(fd);
	volatile const char *pages = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (pages == MAP_FAILED)
		script_fail(node, strerror(errno));
	madvise((void *)(uintptr_t)pages, bytes, MADV_RANDOM);
	uint64_t start = truth_now();
	for (uint64_t at = 0; at < bytes; at += 4096)
		(void)pages[at];
	truth_wait(actor, "touch_pages", node->argv[1], start, 0);
	munmap((void *)(uintptr_t)pages, bytes);
	close(fd);
}

static void do_remove(struct actor *actor, const struct node *node)
{
	(void)actor;
	unlink(node->argv[1]);
}

static void do_pipe(struct actor *actor, const struct node *node)
{
	int fd[2];
	(void)actor;
	if (pipe2(fd, O_CLOEXEC) != 0)
		script_fail(node, strerror(errno));
	char name[128];
	snprintf(name, sizeof name, "pipe %s", node->argv[1]);
	object_set(name, (uint64_t)fd[1] << 32 | (uint32_t)fd[0]);
}

static void pipe_ends(const struct node *node, int *from, int *to)
{
	char name[128];
	uint64_t value;
	snprintf(name, sizeof name, "pipe %s", node->argv[1]);
	if (!object_find(name, &value))
		script_fail(node, "no such pipe");
	*from = (int)(uint32_t)value;
	*to = (int)(value >> 32);
}

static void transfer(struct actor *actor, const struct node *node, bool reading)
{
	char buffer[4096] = {0};
	int from, to;
	uint64_t left = run_number(node, node->argv[2]), start = truth_now();
	pipe_ends(node, &from, &to);
	while (left > 0) {
		size_t n = left < sizeof buffer ? (size_t)left : sizeof buffer;
		ssize_t done = reading ? read(from, buffer, n) : write(to, buffer, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			break;
		left -= (uint64_t)done;
	}
	truth_wait(actor, reading ? "read" : "write", node->argv[1], start, 0);
}

static void do_read(struct actor *actor, const struct node *node) { transfer(actor, node, true); }
static void do_write(struct actor *actor, const struct node *node) { transfer(actor, node, false); }

static void do_poll(struct actor *actor, const struct node *node)
{
	int from, to, ms = -1;
	if (node->argc > 2)
		ms = (int)(run_number(node, node->argv[2]) / 1000000);
	pipe_ends(node, &from, &to);
	struct pollfd fd = {.fd = from, .events = POLLIN};
	uint64_t start = truth_now();
	poll(&fd, 1, ms);
	truth_wait(actor, "poll", node->argv[1], start, 0);
}

/* Polls with a sleep, so that whoever makes the file needs nothing but a shell. */
static void do_wait_file(struct actor *actor, const struct node *node)
{
	(void)actor;
	while (access(node->argv[1], F_OK) != 0)
		usleep(2000);
}

static void do_ready(struct actor *actor, const struct node *node)
{
	(void)actor;
	int fd = open(node->argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		script_fail(node, strerror(errno));
	dprintf(fd, "%d\n", getpid());
	close(fd);
}

const struct statement io_statements[] = {
	{"make-file", 2, do_make_file},
	{"read-file", 2, do_read_file},
	{"write-file", 2, do_write_file},
	{"touch-pages", 2, do_touch_pages},
	{"remove", 1, do_remove},
	{"pipe", 1, do_pipe},
	{"read", 2, do_read},
	{"write", 2, do_write},
	{"poll", 1, do_poll},
	{"wait-file", 1, do_wait_file},
	{"ready", 1, do_ready},
	{NULL, 0, NULL},
};
