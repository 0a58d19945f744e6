/* SPDX-License-Identifier: Apache-2.0
 *
 * The model on the simulated GPU: a step's launches and its wait, and how long
 * the GPU takes for it.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "options.h"
#include "run.h"
#include "scheduler.h"

/* model_load runs the script's `start` on the calling thread, the dispatcher. */
void model_load(struct actor *dispatcher, const struct node *script);

/* model_launch queues the step's kernels and returns their time on the GPU. */
uint64_t model_launch(struct actor *dispatcher, const struct options *options, const struct step *step);
/* model_collect copies the tokens back and blocks until they are there. */
void model_collect(struct actor *dispatcher);
/* model_unload runs the script's `end`. */
void model_unload(struct actor *dispatcher);

/* script_block is the body of the script's block of that name; exits 2 without one. */
const struct node *script_block(const struct node *script, const char *name);

#endif
