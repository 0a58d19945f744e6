// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

static const struct node *decode, *prefill, *sample, *collect, *end;

const struct node *script_block(const struct node *script, const char *name)
{
	for (; script != NULL; script = script->next)
		if (strcmp(script->argv[0], name) == 0)
			return script->body;
	fprintf(stderr, "engine: the script has no block %s\n", name);
	exit(2);
}

/* How many launches the block makes. */
static uint64_t launches(const struct node *node)
{
	uint64_t sum = 0;
	for (; node != NULL; node = node->next)
		if (strcmp(node->argv[0], "repeat") == 0)
			sum += run_number(node, node->argv[1]) * launches(node->body);
		else
			sum += strcmp(node->argv[0], "cudaLaunchKernel") == 0;
	return sum;
}

void model_load(struct actor *dispatcher, const struct node *script)
{
	decode = script_block(script, "decode");
	prefill = script_block(script, "prefill");
	sample = script_block(script, "sample");
	collect = script_block(script, "collect");
	end = script_block(script, "end");
	run_block(dispatcher, script_block(script, "start"));
}

uint64_t model_launch(struct actor *dispatcher, const struct options *options, const struct step *step)
{
	uint64_t decode_ns = options->step_ns + (step->sequences - 1) * options->sequence_ns,
		 prefill_ns = step->prompt_tokens * options->prompt_token_ns, sample_ns = step->logprobs * options->logprob_ns;
	object_set("decode_ns", decode_ns / launches(decode));
	object_set("prefill_ns", prefill_ns / launches(prefill));
	object_set("sample_ns", sample_ns);
	run_block(dispatcher, decode);
	if (prefill_ns > 0)
		run_block(dispatcher, prefill);
	run_block(dispatcher, sample);
	return decode_ns + prefill_ns + sample_ns;
}

void model_collect(struct actor *dispatcher) { run_block(dispatcher, collect); }
void model_unload(struct actor *dispatcher) { run_block(dispatcher, end); }
