/* SPDX-License-Identifier: Apache-2.0
 *
 * The truth: JSON lines of what really happened in the engine. Every instant is
 * there as NAME_ns (CLOCK_MONOTONIC) and NAME_unix_ns (CLOCK_REALTIME). README.md
 * has the fields.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include "faults.h"
#include "scheduler.h"

/* report_open appends to path, a whole line at a time, so that engines can share
 * the file. Without it nothing is written. */
void report_open(const char *path, uint64_t index);

/* A dispatch cycle: from the return of one collect to that of the next. */
struct cycle {
	uint64_t start_ns, end_ns;
	uint64_t idle_ns; /* of it: without a sequence */
	uint64_t gpu_ns;  /* of the step's kernels */
};

void report_engine(const char *state);
void report_sequence(const struct sequence *sequence);
void report_refused(const char *fault);
/* report_fault and report_long_cycle also name the sequences in the engine, so
 * they come before the step's end is told to the scheduler. */
void report_fault(const struct injected *injected, const struct cycle *cycle, const struct scheduler *scheduler);
void report_long_cycle(const struct cycle *cycle, const struct scheduler *scheduler);

#endif
