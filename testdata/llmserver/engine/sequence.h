/* SPDX-License-Identifier: Apache-2.0
 *
 * A sequence that the engine continues: what vLLM's engine calls a request. A
 * request of a user with n > 1 is n sequences. Times are CLOCK_MONOTONIC.
 */
#ifndef ENGINE_SEQUENCE_H
#define ENGINE_SEQUENCE_H

#include <stdint.h>

#define MAX_ID 192
#define MAX_TRACEPARENT 64

struct sequence {
	char id[MAX_ID];
	char traceparent[MAX_TRACEPARENT]; /* "-": none; goes back with the outputs */
	uint64_t prompt_tokens, max_tokens, logprobs;
	uint64_t prefilled, generated; /* tokens so far */
	uint64_t received_ns;  /* the input thread had it */
	uint64_t queued_ns;    /* the scheduler had it */
	uint64_t scheduled_ns; /* in a step; 0: waiting */
	uint64_t first_ns, last_ns; /* its first and latest token was there */
	uint64_t granted; /* tokens of this step */
	struct sequence *next;
};

#endif
