/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from the API server: lines, read by the input thread, taken by the
 * engine's main thread from a queue.
 *
 *   add ID PROMPT-TOKENS MAX-TOKENS LOGPROBS TRACEPARENT|-
 *   abort ID
 *   fault NAME NANOSECONDS
 */
#ifndef ENGINE_INPUT_H
#define ENGINE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "sequence.h"

enum message_kind { message_add, message_abort, message_fault };

struct message {
	enum message_kind kind;
	struct sequence *sequence; /* add; belongs to the receiver */
	char name[MAX_ID];         /* abort, fault */
	uint64_t ns;               /* fault */
	struct message *next;
};

/* input_start starts the thread that reads the socket. A line that is not one of
 * the above ends the process with status 2. */
void input_start(int socket);

/* Both return what came since, oldest first, to be freed by the caller; with
 * nothing there the first returns NULL and the second blocks. ended: the API
 * server has closed the socket, and all was taken. */
struct message *input_poll(bool *ended);
struct message *input_wait(bool *ended);

#endif
