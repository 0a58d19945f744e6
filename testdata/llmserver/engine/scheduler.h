/* SPDX-License-Identifier: Apache-2.0
 *
 * Continuous batching with chunked prompts: which sequences a step continues,
 * and by how many tokens. First come, first served; a running sequence runs in
 * every step until it is complete.
 */
#ifndef ENGINE_SCHEDULER_H
#define ENGINE_SCHEDULER_H

#include <stdbool.h>

#include "options.h"
#include "sequence.h"

struct scheduler {
	const struct options *options;
	struct sequence *waiting, *running; /* oldest first */
};

/* What a step has to compute. */
struct step {
	uint64_t sequences, prompt_tokens;
	uint64_t logprobs; /* of all sequences that get a token */
};

void scheduler_add(struct scheduler *scheduler, struct sequence *sequence, uint64_t now);
/* scheduler_abort forgets a sequence; unknown ones may have just ended. */
void scheduler_abort(struct scheduler *scheduler, const char *id);
bool scheduler_idle(const struct scheduler *scheduler);

/* scheduler_begin grants every sequence of the next step its tokens. */
struct step scheduler_begin(struct scheduler *scheduler, uint64_t now);
/* scheduler_end puts the tokens of the step out and forgets what is complete. */
void scheduler_end(struct scheduler *scheduler, uint64_t now);

#endif
