/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends that nobody knows yet: of work that waits for somebody outside of the
 * virtual GPU, and of what is queued behind it.
 *
 * An end is 0 (over, or never begun), a time, or a mark. A cell holds an end.
 * Invariant: no cell holds a mark whose time is known; the time takes the
 * mark's place in every cell the moment it becomes known. A cell that holds a
 * mark stays where it is until then; it may be given another end meanwhile.
 */
#ifndef FAKECUDA_MARK_H
#define FAKECUDA_MARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fakecuda.h"

typedef _Atomic uint64_t fc_end; /* a cell */
struct fc_mark;

#define FC_PENDING (1ULL << 63)

static inline bool fc_pending(uint64_t end) { return (end & FC_PENDING) != 0; }

/* fc_raise makes *end at least `at`. */
static inline void fc_raise(_Atomic uint64_t *end, uint64_t at)
{
	uint64_t old = atomic_load_explicit(end, memory_order_relaxed);
	while (old < at && !atomic_compare_exchange_weak(end, &old, at))
		;
}

/* Whether any cell may hold a mark. */
extern _Atomic unsigned fc_marks_count;
static inline bool fc_marks_any(void) { return atomic_load(&fc_marks_count) != 0; }

/* Marks are made between fc_marks_lock and fc_marks_unlock. A mark's time is
 * the latest of what it is `after`, plus ns; with a gate, what fakecuda_open says. */
void fc_marks_lock(void);
void fc_marks_unlock(void);
struct fc_mark *fc_mark_new(uint64_t ns, struct fakecuda_gate *gate);
void fc_mark_at_least(struct fc_mark *mark, uint64_t at);
void fc_mark_after(struct fc_mark *mark, fc_end *end);
/* fc_mark_hold puts the mark into a cell, fc_mark_raise has it raise a time. */
void fc_mark_hold(struct fc_mark *mark, fc_end *cell);
void fc_mark_raise(struct fc_mark *mark, _Atomic uint64_t *end);
/* fc_mark_made ends the making of a mark; its time may be known at once. */
void fc_mark_made(struct fc_mark *mark);

/* fc_marks_settle tells gates that they were reached. Called without locks
 * after marks with gates were made. */
void fc_marks_settle(void);

/* fc_end_copy gives `to` the end that `from` has now. */
void fc_end_copy(fc_end *from, fc_end *to);
/* fc_end_then calls tell(arg, time) when the time of *end is known: at once, or
 * later on another thread, which holds the lock of the marks; *end has it by then. */
void fc_end_then(fc_end *end, void (*tell)(void *arg, uint64_t at), void *arg);

/* fc_marks_forked forgets all marks in a forked child. */
void fc_marks_forked(void);

#endif
