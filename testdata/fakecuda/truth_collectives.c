// SPDX-License-Identifier: Apache-2.0
//
// The truth about NCCL operations. They end on threads that play hardware, which
// must not be held up by a file: a thread of its own ("truth") writes them.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fakenccl.h"
#include "truth.h"

#define EVERY_US 20000
#define TEXT 65536

struct told {
	struct told *next;
	struct fakenccl_operation operation;
};

static pthread_mutex_t writing; /* taken before lock */
static pthread_mutex_t lock;
static struct told *first, **last; /* not written; guarded by lock */
static bool enabled, running; /* running is guarded by lock */

static size_t format(const struct fakenccl_operation *o, char *text, size_t room)
{
	return (size_t)snprintf(
		text, room,
		"{\"type\":\"collective\",\"pid\":%d,\"tid\":%d,\"thread\":\"%s\",\"function\":\"%s\","
		"\"communicator\":\"%016lx\",\"sequence\":%lu,\"rank\":%d,\"ranks\":%d,\"root\":%d,\"peer\":%d,\"op\":%d,"
		"\"datatype\":%d,\"count\":%lu,\"bytes\":%lu,\"group\":%d,\"captured\":%d,\"aborted\":%d,"
		"\"enqueue_ns\":%lu,\"start_ns\":%lu,\"end_ns\":%lu}\n",
		getpid(), o->tid, o->thread, o->function, (unsigned long)o->communicator, (unsigned long)o->sequence, o->rank,
		o->ranks, o->root, o->peer, o->reduction, o->datatype, (unsigned long)o->count, (unsigned long)o->bytes,
		o->grouped, o->captured, o->aborted, (unsigned long)o->enqueue_ns, (unsigned long)o->start_ns,
		(unsigned long)o->end_ns);
}

static void write_told(void)
{
	static char text[TEXT]; /* guarded by writing */
	size_t n = 0;
	pthread_mutex_lock(&writing);
	pthread_mutex_lock(&lock);
	struct told *told = first;
	first = NULL;
	last = &first;
	pthread_mutex_unlock(&lock);
	for (struct told *next; told != NULL; told = next) {
		next = told->next;
		n += format(&told->operation, text + n, TEXT - n);
		free(told);
		if (n > TEXT - 1024 || next == NULL) {
			truth_write(text, n);
			n = 0;
		}
	}
	pthread_mutex_unlock(&writing);
}

static void *writer(void *unused)
{
	prctl(PR_SET_NAME, "truth");
	for (;;) {
		usleep(EVERY_US);
		write_told();
	}
	return unused;
}

static void start_writer(void)
{
	pthread_t thread;
	running = true;
	if (pthread_create(&thread, NULL, writer, NULL) == 0)
		pthread_detach(thread);
}

static void tell(void *unused, const struct fakenccl_operation *operation)
{
	struct told *told = malloc(sizeof *told);
	(void)unused;
	if (told == NULL)
		abort();
	told->operation = *operation;
	told->next = NULL;
	pthread_mutex_lock(&lock);
	*last = told;
	last = &told->next;
	bool start = !running;
	if (start)
		start_writer();
	pthread_mutex_unlock(&lock);
}

/* A child has its own operations and no writer. */
static void reset(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&lock, &attr);
	pthread_mutex_init(&writing, NULL);
	first = NULL;
	last = &first;
	running = false;
}

void truth_collectives(void)
{
	enabled = true;
	reset();
	pthread_atfork(NULL, NULL, reset);
	if (NC_LINKED(fakenccl_watch))
		fakenccl_watch(tell, NULL);
}

void truth_collectives_end(void)
{
	if (!enabled)
		return;
	if (NC_LINKED(fakenccl_unfinished))
		fakenccl_unfinished();
	write_told();
}
