/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of NCCL's functions as text, and unique ids by name.
 */
#ifndef FAKECUDA_CALL_NCCL_H
#define FAKECUDA_CALL_NCCL_H

#include <stdbool.h>

#include "calls.h"

/* The text of a parameter, NULL where there is none, with the index that
 * replaces '@' and the type, one of "UQWNYJELH" (calls.c). */
struct call_text {
	const char *text;
	int index;
	char type;
};

bool call_nccl_type(char type);
/* call_nccl_parameter fills the parameter's slots from *slot on, which it moves;
 * -1 when the text is wrong. */
int call_nccl_parameter(struct call *call, char *const *words, const struct call_text *text, int *slot);
void call_nccl_results(const struct call *call, int index);

/* Unique ids, by name; a forked child has those of its parent. */
void id_set(const char *name, const ncclUniqueId *id);
const ncclUniqueId *id_named(const char *name);

/* call_word is the value of a key=value word, or NULL. */
const char *call_word(char *const *words, const char *key);

#endif
