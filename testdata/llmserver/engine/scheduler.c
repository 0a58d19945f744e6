// SPDX-License-Identifier: Apache-2.0
#include "scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"

/* The place of the sequence in the list, or the place after its last one. */
static struct sequence **place(struct sequence **list, const char *id)
{
	while (*list != NULL && (id == NULL || strcmp((*list)->id, id) != 0))
		list = &(*list)->next;
	return list;
}

void scheduler_add(struct scheduler *scheduler, struct sequence *sequence, uint64_t now)
{
	sequence->queued_ns = now;
	*place(&scheduler->waiting, NULL) = sequence;
}

static bool drop(struct sequence **at)
{
	struct sequence *gone = *at;
	if (gone == NULL)
		return false;
	*at = gone->next;
	free(gone);
	return true;
}

void scheduler_abort(struct scheduler *scheduler, const char *id)
{
	if (!drop(place(&scheduler->running, id)))
		drop(place(&scheduler->waiting, id));
}

bool scheduler_idle(const struct scheduler *scheduler) { return scheduler->waiting == NULL && scheduler->running == NULL; }

/* Grants what the budget has left of the tokens that the sequence could use. */
static void grant(struct sequence *s, struct step *step, uint64_t *budget)
{
	uint64_t prompt = s->prompt_tokens - s->prefilled, wanted = prompt > 0 ? prompt : 1;
	s->granted = wanted < *budget ? wanted : *budget;
	*budget -= s->granted;
	if (s->granted == 0)
		return;
	step->sequences++;
	if (prompt > 0)
		step->prompt_tokens += s->granted;
	if (s->granted >= prompt)
		step->logprobs += s->logprobs;
}

struct step scheduler_begin(struct scheduler *scheduler, uint64_t now)
{
	struct step step = {0};
	uint64_t budget = scheduler->options->max_num_batched_tokens, running = 0;
	struct sequence **last = &scheduler->running;
	for (; *last != NULL; last = &(*last)->next, running++)
		grant(*last, &step, &budget);
	for (; scheduler->waiting != NULL && budget > 0 && running < scheduler->options->max_num_seqs; running++) {
		struct sequence *s = scheduler->waiting;
		scheduler->waiting = s->next;
		s->next = NULL;
		s->scheduled_ns = now;
		grant(s, &step, &budget);
		*last = s;
		last = &s->next;
	}
	return step;
}

/* Takes the granted tokens; true when the sequence is complete. */
static bool advance(struct sequence *s, uint64_t now)
{
	if (s->granted == 0)
		return false;
	if (s->prefilled < s->prompt_tokens) {
		s->prefilled += s->granted;
		if (s->prefilled < s->prompt_tokens)
			return false;
		s->first_ns = now;
	}
	s->generated++;
	s->last_ns = now;
	output_token(s);
	return s->generated == s->max_tokens;
}

void scheduler_end(struct scheduler *scheduler, uint64_t now)
{
	for (struct sequence **at = &scheduler->running; *at != NULL;) {
		struct sequence *s = *at;
		if (advance(s, now)) {
			report_sequence(s);
			drop(at);
		} else {
			at = &s->next;
		}
	}
}
