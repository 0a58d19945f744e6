// SPDX-License-Identifier: Apache-2.0
//
// Marks: ends that are not known yet.
#define _GNU_SOURCE
#include "mark.h"

#include <pthread.h>
#include <stdlib.h>

/* Who is told the time of a mark. */
struct follower {
	struct follower *next;
	void (*tell)(void *arg, uint64_t tag, uint64_t at);
	void (*call)(void *arg, uint64_t at); /* fc_end_then only */
	void *arg;
};

struct fc_mark {
	unsigned waits; /* for how many other marks, and 1 while it is being made */
	uint64_t at;    /* the latest of what it comes after, as far as known; then its own time */
	uint64_t ns;
	struct fakecuda_gate *gate;
	struct follower *followers, **last; /* told in order */
	struct fc_mark *next; /* in `reached` or `known` */
};

_Atomic unsigned fc_marks_count;
/* Inherits priority: the threads of the virtual hardware take it too. */
static pthread_mutex_t lock;
static pthread_once_t lock_once = PTHREAD_ONCE_INIT;
static struct fc_mark *reached; /* marks with gates that wait only for fakecuda_open, to be told so */
static struct fc_mark *known;   /* marks whose followers are to be told; empty while the lock is free */
static __thread bool settling;

static void make_lock(void)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&lock, &attr);
}

void fc_marks_lock(void)
{
	pthread_once(&lock_once, make_lock);
	pthread_mutex_lock(&lock);
}

void fc_marks_unlock(void) { pthread_mutex_unlock(&lock); }

void fc_marks_forked(void)
{
	pthread_once(&lock_once, make_lock);
	make_lock();
	reached = known = NULL;
	settling = false;
	atomic_store(&fc_marks_count, 0);
}

static uint64_t tag_of(const struct fc_mark *mark) { return FC_PENDING | (uintptr_t)mark; }
static struct fc_mark *mark_of(uint64_t end) { return (struct fc_mark *)(uintptr_t)(end & ~FC_PENDING); }

static void *allocate(size_t bytes)
{
	void *p = calloc(1, bytes);
	if (p == NULL)
		abort();
	return p;
}

static void follow(struct fc_mark *mark, struct follower follower)
{
	struct follower *own = allocate(sizeof *own);
	*own = follower;
	*mark->last = own;
	mark->last = &own->next;
}

static void push(struct fc_mark **list, struct fc_mark *mark)
{
	mark->next = *list;
	*list = mark;
}

/* What the mark came after is over at mark->at. */
static void waited(struct fc_mark *mark)
{
	if (--mark->waits > 0)
		return;
	if (mark->gate == NULL)
		mark->at += mark->ns;
	push(mark->gate == NULL ? &known : &reached, mark);
}

static void tell_known(void)
{
	while (known != NULL) {
		struct fc_mark *mark = known;
		known = mark->next;
		for (struct follower *f = mark->followers, *next; f != NULL; f = next) {
			next = f->next;
			if (f->call != NULL)
				f->call(f->arg, mark->at);
			else
				f->tell(f->arg, tag_of(mark), mark->at);
			free(f);
		}
		free(mark);
		atomic_fetch_sub(&fc_marks_count, 1);
	}
}

static void tell_cell(void *cell, uint64_t tag, uint64_t at) { atomic_compare_exchange_strong((fc_end *)cell, &tag, at); }

static void tell_raise(void *end, uint64_t tag, uint64_t at)
{
	(void)tag;
	fc_raise((_Atomic uint64_t *)end, at);
}

static void tell_mark(void *arg, uint64_t tag, uint64_t at)
{
	(void)tag;
	fc_mark_at_least(arg, at);
	waited(arg);
}

struct fc_mark *fc_mark_new(uint64_t ns, struct fakecuda_gate *gate)
{
	struct fc_mark *mark = allocate(sizeof *mark);
	*mark = (struct fc_mark){.waits = 1, .ns = ns, .gate = gate, .last = &mark->followers};
	if (gate != NULL)
		gate->mark = mark;
	atomic_fetch_add(&fc_marks_count, 1);
	return mark;
}

void fc_mark_at_least(struct fc_mark *mark, uint64_t at)
{
	if (mark->at < at)
		mark->at = at;
}

void fc_mark_after(struct fc_mark *mark, fc_end *end)
{
	uint64_t at = atomic_load(end);
	if (!fc_pending(at)) {
		fc_mark_at_least(mark, at);
		return;
	}
	mark->waits++;
	follow(mark_of(at), (struct follower){.tell = tell_mark, .arg = mark});
}

void fc_mark_hold(struct fc_mark *mark, fc_end *cell)
{
	atomic_store(cell, tag_of(mark));
	follow(mark, (struct follower){.tell = tell_cell, .arg = (void *)cell});
}

void fc_mark_raise(struct fc_mark *mark, _Atomic uint64_t *end)
{
	follow(mark, (struct follower){.tell = tell_raise, .arg = (void *)end});
}

void fc_mark_made(struct fc_mark *mark)
{
	waited(mark);
	tell_known();
}

/* What runs in `reached` may open gates, and so reach others: those are left to
 * the outermost call on this thread. */
void fc_marks_settle(void)
{
	if (settling)
		return;
	settling = true;
	fc_marks_lock();
	while (reached != NULL) {
		struct fc_mark *mark = reached;
		struct fakecuda_gate *gate = mark->gate;
		uint64_t at = mark->at;
		reached = mark->next;
		fc_marks_unlock();
		gate->reached(gate, at);
		fc_marks_lock();
	}
	fc_marks_unlock();
	settling = false;
}

FC_API void fakecuda_open(struct fakecuda_gate *gate, uint64_t end)
{
	fc_marks_lock();
	fc_mark_at_least(gate->mark, end);
	push(&known, gate->mark);
	tell_known();
	fc_marks_unlock();
	fc_marks_settle();
}

void fc_end_copy(fc_end *from, fc_end *to)
{
	fc_marks_lock();
	uint64_t end = atomic_load(from);
	atomic_store(to, end);
	if (fc_pending(end))
		follow(mark_of(end), (struct follower){.tell = tell_cell, .arg = (void *)to});
	fc_marks_unlock();
}

void fc_end_then(fc_end *end, void (*tell)(void *arg, uint64_t at), void *arg)
{
	fc_marks_lock();
	uint64_t at = atomic_load(end);
	if (fc_pending(at))
		follow(mark_of(at), (struct follower){.call = tell, .arg = arg});
	fc_marks_unlock();
	if (!fc_pending(at))
		tell(arg, at);
}
