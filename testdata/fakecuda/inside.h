/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks that run inside a call of the driver.
 */
#ifndef FAKECUDA_INSIDE_H
#define FAKECUDA_INSIDE_H

#include "run.h"

/* inside_open has to come before the first block, and before the first fork. */
void inside_open(void);

/* inside_next_call has the statement's body run inside the thread's next driver
 * call; inside_recurse runs it now, and inside its first driver call again. */
void inside_next_call(struct actor *actor, const struct node *node);
void inside_recurse(struct actor *actor, const struct node *node);

extern const struct statement inside_statements[];

#endif
