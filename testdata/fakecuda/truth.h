/* SPDX-License-Identifier: Apache-2.0
 *
 * The truth report: JSON lines of what really happened, written whole lines at
 * a time so that processes can share the file. Times are CLOCK_MONOTONIC.
 */
#ifndef FAKECUDA_TRUTH_H
#define FAKECUDA_TRUTH_H

#include <stddef.h>
#include <stdint.h>

#include "run.h"

/* truth_open appends to path; "-" is standard output. Without it nothing is written. */
void truth_open(const char *path);
const char *truth_path(void);

/* truth_min_ns: waits and calls shorter than this are not written. */
extern uint64_t truth_min_wait_ns, truth_min_call_ns;

uint64_t truth_now(void);

/* A wait of the calling thread, from start to now, on the named thing. other is
 * the thread that ended it or held the lock, 0 if unknown. */
void truth_wait(const struct actor *actor, const char *kind, const char *name, uint64_t start, int other);
void truth_call(const struct actor *actor, const char *function, uint64_t start, int result);
void truth_mark(const struct actor *actor, const char *name);

/* truth_collectives has every NCCL operation of this process and of those that
 * it forks written, soon after it ended (truth_collectives.c). */
void truth_collectives(void);
void truth_collectives_end(void);

/* truth_write appends whole lines. */
void truth_write(const char *text, size_t n);

/* truth_thread writes the thread's counts: at its end. truth_process does so at
 * the end of the process, with the NCCL operations that have not ended. */
void truth_thread(const struct actor *actor);
void truth_process(const struct actor *actor);

#endif
