/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes to the API server: lines, written by the output thread, which the
 * engine's main thread never waits for.
 *
 *   ready                  once, when requests may come
 *   out ID TIME QUEUED SCHEDULED TRACEPARENT|- last|more
 *
 * `out` is one token of a sequence; times are CLOCK_MONOTONIC nanoseconds: of the
 * token, of being queued and of being scheduled.
 */
#ifndef ENGINE_OUTPUT_H
#define ENGINE_OUTPUT_H

#include "sequence.h"

void output_start(int socket);

/* output_ready and output_token add a line; output_post hands what was added to
 * the output thread. */
void output_ready(void);
void output_token(const struct sequence *sequence);
void output_post(void);

#endif
