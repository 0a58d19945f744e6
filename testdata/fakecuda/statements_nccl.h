/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements about NCCL, for the table in statements.c.
 */
#ifndef FAKECUDA_STATEMENTS_NCCL_H
#define FAKECUDA_STATEMENTS_NCCL_H

#include "run.h"

void run_nccl_id(struct actor *actor, const struct node *node);
void run_nccl_wait(struct actor *actor, const struct node *node);

#endif
