// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "script.h"

const struct options options_default = {
	.socket = 3,
	.step_ns = 5000000,
	.sequence_ns = 20000,
	.prompt_token_ns = 100000,
	.logprob_ns = 300000,
	.max_num_seqs = 32,
	.max_num_batched_tokens = 2048,
	.fault_for_ns = 30000000,
	.fault_gap_ns = 200000000,
	.long_cycle_ns = 9000000,
};

static void fail(const char *word, const char *what)
{
	fprintf(stderr, "engine: %s: %s\n", word, what);
	exit(2);
}

struct row {
	const char *name;
	uint64_t *number; /* or */
	char **text;
};

static const struct row *find(const struct row *rows, const char *word, size_t n)
{
	for (; rows->name != NULL; rows++)
		if (strlen(rows->name) == n && strncmp(rows->name, word, n) == 0)
			return rows;
	return NULL;
}

static void read_word(const struct row *rows, const char *word)
{
	const char *value = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	if (value == NULL)
		fail(word, "options are --name=value");
	const struct row *row = find(rows, word + 2, (size_t)(value - word - 2));
	if (row == NULL)
		script_define(strndup(word + 2, (size_t)(value - word - 2)), value + 1);
	else if (row->text != NULL)
		*row->text = strdup(value + 1);
	else if (call_number(value + 1, row->number) != 0)
		fail(word, "not a number or duration");
}

void options_read(struct options *o, int argc, char **argv)
{
	const struct row rows[] = {
		{"socket", &o->socket, NULL},
		{"index", &o->index, NULL},
		{"step-time", &o->step_ns, NULL},
		{"sequence-time", &o->sequence_ns, NULL},
		{"prompt-token-time", &o->prompt_token_ns, NULL},
		{"logprob-time", &o->logprob_ns, NULL},
		{"max-num-seqs", &o->max_num_seqs, NULL},
		{"max-num-batched-tokens", &o->max_num_batched_tokens, NULL},
		{"fault-every", &o->fault_every_ns, NULL},
		{"fault-for", &o->fault_for_ns, NULL},
		{"fault-gap", &o->fault_gap_ns, NULL},
		{"long-cycle", &o->long_cycle_ns, NULL},
		{"faults", NULL, &o->faults},
		{"truth", NULL, &o->truth},
		{NULL, NULL, NULL},
	};
	*o = options_default;
	for (int i = 1; i < argc; i++)
		read_word(rows, argv[i]);
	if (o->max_num_seqs == 0 || o->max_num_batched_tokens < o->max_num_seqs)
		fail("--max-num-batched-tokens", "at least --max-num-seqs, and that at least 1");
}
