/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's command line: --NAME=VALUE. Durations are nanoseconds here and
 * written as in scripts: 5ms, 100us.
 */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include <stdint.h>

struct options {
	uint64_t socket;  /* file descriptor to the API server */
	uint64_t index;   /* data-parallel rank */
	uint64_t step_ns; /* GPU time of a step with one sequence and no prompt */
	uint64_t sequence_ns, prompt_token_ns; /* and of every further sequence, every token of a prompt, */
	uint64_t logprob_ns;                   /* every log probability of every sequence */
	uint64_t max_num_seqs, max_num_batched_tokens;
	uint64_t fault_every_ns; /* 0: only on command */
	uint64_t fault_for_ns, fault_gap_ns;
	uint64_t long_cycle_ns; /* length from which a dispatch cycle is reported */
	char *faults;           /* names of those to prepare, by commas */
	char *truth;            /* path of the report; NULL: none */
};

extern const struct options options_default;

/* options_read fills options from the words. What it does not know becomes a
 * variable of the script. Exits 2 with a message on a mistake. */
void options_read(struct options *options, int argc, char **argv);

#endif
