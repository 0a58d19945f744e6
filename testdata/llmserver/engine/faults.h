/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults: what engine.wl can make go wrong in a step, on a schedule and on
 * command. Between the end of one and the begin of the next are fault_gap_ns.
 */
#ifndef ENGINE_FAULTS_H
#define ENGINE_FAULTS_H

#include "options.h"
#include "run.h"

/* What was done to a step; name is NULL where nothing was. CLOCK_MONOTONIC. */
struct injected {
	const char *name, *cause;
	uint64_t start_ns, end_ns;
};

/* faults_prepare prepares those that the options name, for the schedule in turn and
 * for commands. Exits 2 where one is not known or cannot be. */
void faults_prepare(struct actor *dispatcher, const struct node *script, const struct options *options);

/* faults_command asks for a prepared fault. Beyond 64 waiting ones, or where it is
 * not prepared, it is reported as refused. */
void faults_command(const char *name, uint64_t ns);

/* faults_inject runs the fault that is due, if one is, on the dispatcher. */
struct injected faults_inject(struct actor *dispatcher);

#endif
