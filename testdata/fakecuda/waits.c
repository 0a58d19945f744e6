// SPDX-License-Identifier: Apache-2.0
//
// Statements that wait in the ways that files, pipes and locks do not: sockets,
// epoll, page faults, ioctls, the memory map, a CPU quota.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "objects.h"
#include "run.h"
#include "truth.h"

#define PAGE 4096

static void must(const struct node *node, bool ok)
{
	if (!ok)
		script_fail(node, strerror(errno));
}

/* The two ends of a named pair of descriptors: of pipes the reading one first. */
static void ends(const struct node *node, const char *kind, int fd[2])
{
	char name[128];
	uint64_t value;
	snprintf(name, sizeof name, "%s %s", kind, node->argv[1]);
	if (!object_find(name, &value))
		script_fail(node, "nothing of that name");
	fd[0] = (int)(uint32_t)value;
	fd[1] = (int)(value >> 32);
}

static void do_socket(struct actor *actor, const struct node *node)
{
	int fd[2];
	char name[128];
	(void)actor;
	must(node, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	snprintf(name, sizeof name, "socket %s", node->argv[1]);
	object_set(name, (uint64_t)fd[1] << 32 | (uint32_t)fd[0]);
}

static void do_send(struct actor *actor, const struct node *node)
{
	static const char zeros[PAGE];
	uint64_t bytes = run_number(node, node->argv[2]);
	int fd[2];
	(void)actor;
	ends(node, "socket", fd);
	must(node, bytes <= sizeof zeros && send(fd[1], zeros, bytes, 0) == (ssize_t)bytes);
}

static void do_receive(struct actor *actor, const struct node *node)
{
	char buffer[PAGE];
	uint64_t bytes = run_number(node, node->argv[2]), start = truth_now();
	int fd[2];
	ends(node, "socket", fd);
	must(node, bytes <= sizeof buffer && recv(fd[0], buffer, bytes, MSG_WAITALL) == (ssize_t)bytes);
	truth_wait(actor, "receive", node->argv[1], start, 0);
}

static void do_epoll(struct actor *actor, const struct node *node)
{
	int ms = node->argc > 2 ? (int)(run_number(node, node->argv[2]) / 1000000) : -1;
	int fd[2], set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	ends(node, "pipe", fd);
	must(node, set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd[0], &event) == 0);
	uint64_t start = truth_now();
	must(node, epoll_wait(set, &event, 1, ms) >= 0);
	truth_wait(actor, "epoll", node->argv[1], start, 0);
	close(set);
}

/* A page that is there only some time after it was first touched. */
struct late_page {
	int fault; /* userfaultfd */
	char *page;
	uint64_t delay_ns;
	pthread_t pager;
};

static void *bring_page(void *arg)
{
	struct late_page *late = arg;
	struct uffd_msg message;
	struct timespec delay = {(time_t)(late->delay_ns / 1000000000u), (long)(late->delay_ns % 1000000000u)};
	if (read(late->fault, &message, sizeof message) != sizeof message)
		return NULL;
	nanosleep(&delay, NULL);
	struct uffdio_zeropage zero = {.range = {(uintptr_t)late->page, PAGE}};
	ioctl(late->fault, UFFDIO_ZEROPAGE, &zero);
	return NULL;
}

static void make_late_page(const struct node *node, struct late_page *late)
{
	struct uffdio_api api = {.api = UFFD_API};
	late->delay_ns = run_number(node, node->argv[1]);
	late->fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	must(node, late->fault >= 0 && ioctl(late->fault, UFFDIO_API, &api) == 0);
	late->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(node, late->page != MAP_FAILED);
	struct uffdio_register range = {.range = {(uintptr_t)late->page, PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	must(node, ioctl(late->fault, UFFDIO_REGISTER, &range) == 0);
	must(node, pthread_create(&late->pager, NULL, bring_page, late) == 0);
}

static void drop_late_page(struct late_page *late)
{
	pthread_join(late->pager, NULL);
	munmap(late->page, PAGE);
	close(late->fault);
}

static void do_fault(struct actor *actor, const struct node *node)
{
	struct late_page late;
	make_late_page(node, &late);
	uint64_t start = truth_now();
	*(volatile char *)late.page = 1;
	truth_wait(actor, "fault", "", start, 0);
	drop_late_page(&late);
}

/* The driver behind an ioctl is whoever stores its answer in a page that is not there. */
static void do_ioctl(struct actor *actor, const struct node *node)
{
	struct late_page late;
	int fd[2];
	must(node, pipe(fd) == 0);
	make_late_page(node, &late);
	uint64_t start = truth_now();
	must(node, ioctl(fd[0], FIONREAD, late.page) == 0);
	truth_wait(actor, "ioctl", "", start, 0);
	drop_late_page(&late);
	close(fd[0]);
	close(fd[1]);
}

struct memory {
	void *at;
	uint64_t bytes;
};

/* Memory that is there, page by page. */
static void do_memory(struct actor *actor, const struct node *node)
{
	struct memory *memory = malloc(sizeof *memory);
	char name[128];
	(void)actor;
	must(node, memory != NULL);
	memory->bytes = run_number(node, node->argv[2]);
	memory->at = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(node, memory->at != MAP_FAILED);
	madvise(memory->at, memory->bytes, MADV_NOHUGEPAGE);
	memset(memory->at, 1, memory->bytes);
	snprintf(name, sizeof name, "memory %s", node->argv[1]);
	object_set(name, (uint64_t)(uintptr_t)memory);
}

/* Changes the protection of memory, again and again: that holds the memory map's lock. */
static void do_protect(struct actor *actor, const struct node *node)
{
	char name[128];
	uint64_t value;
	snprintf(name, sizeof name, "memory %s", node->argv[1]);
	if (!object_find(name, &value))
		script_fail(node, "no such memory");
	const struct memory *memory = (const struct memory *)(uintptr_t)value;
	truth_mark(actor, "protecting");
	for (uint64_t end = truth_now() + run_number(node, node->argv[2]); truth_now() < end;) {
		must(node, mprotect(memory->at, memory->bytes, PROT_READ) == 0);
		must(node, mprotect(memory->at, memory->bytes, PROT_READ | PROT_WRITE) == 0);
	}
}

/* Asks which pages are in memory, for some time: that needs the memory map's lock. */
static void do_mincore(struct actor *actor, const struct node *node)
{
	uint64_t start = truth_now(), end = start + run_number(node, node->argv[1]);
	char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in_memory;
	must(node, page != MAP_FAILED);
	while (truth_now() < end)
		must(node, mincore(page, PAGE, &in_memory) == 0);
	truth_wait(actor, "mincore", "", start, 0);
	munmap(page, PAGE);
}

static void do_control_group(struct actor *actor, const struct node *node)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/cgroup.procs", node->argv[1]);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	must(node, fd >= 0 && dprintf(fd, "%d\n", actor->pid) > 0);
	close(fd);
}

const struct statement wait_statements[] = {
	{"socket", 1, do_socket},
	{"send", 2, do_send},
	{"receive", 2, do_receive},
	{"epoll", 1, do_epoll},
	{"fault", 1, do_fault},
	{"ioctl", 1, do_ioctl},
	{"memory", 2, do_memory},
	{"protect", 2, do_protect},
	{"mincore", 1, do_mincore},
	{"control-group", 1, do_control_group},
	{NULL, 0, NULL},
};
