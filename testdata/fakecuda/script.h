/* SPDX-License-Identifier: Apache-2.0
 *
 * Workload scripts: text to a tree of statements. README.md has the grammar.
 */
#ifndef FAKECUDA_SCRIPT_H
#define FAKECUDA_SCRIPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct node {
	int line;
	int argc;
	char **argv; /* NULL-terminated */
	struct node *body, *next;
	_Atomic uint64_t last; /* `every`: when it last ran; calls: checked */
};

/* script_define sets a variable; the first definition wins, so that the
 * command line comes before `set` in the text. */
void script_define(const char *name, const char *value);

/* script_parse returns the statements of the text; exits 2 with a message on a
 * mistake. The tree lives as long as the process. */
struct node *script_parse(const char *name, const char *text);

/* script_fail reports a mistake in a statement and exits 2. */
void script_fail(const struct node *node, const char *what) __attribute__((noreturn));

#endif
