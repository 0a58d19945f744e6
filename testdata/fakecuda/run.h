/* SPDX-License-Identifier: Apache-2.0
 *
 * Running scripts. An actor is a thread of a workload process.
 */
#ifndef FAKECUDA_RUN_H
#define FAKECUDA_RUN_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"
#include "script.h"

#define MAX_CATCHES 16
#define MAX_ERRORS 32

struct actor {
	char name[16]; /* its comm */
	int index; /* replaces '@' in names of objects; that of who started it, unless count= gives one */
	pid_t pid, tid;
	uint64_t start_ns;
	uint64_t calls[CALL_ROWS]; /* by row of calls.def: calls made by statements */
	struct {
		int row, code;
		uint64_t count;
	} errors[MAX_ERRORS]; /* results other than 0 */
	int errors_count;
	const char *calling; /* the call that a statement runs inside of, or NULL */
	jmp_buf *catches[MAX_CATCHES];
	int catch_depth;
};

/* run_block runs statements in order on the calling thread. */
void run_block(struct actor *actor, const struct node *nodes);

/* run_call runs a call statement; false when it is none. */
bool run_call(struct actor *actor, const struct node *node);
/* run_address is a function of a call statement, "LIBRARY.FUNCTION" or as linked. */
void *run_address(const struct node *node, const char *call);

/* run_enter makes the process's main thread an actor, for programs that run
 * blocks between their own code; argv is the memory of the process's title. */
struct actor *run_enter(int argc, char **argv);

/* run_script runs a whole script as the process's main thread, joins what it
 * started, and returns the exit status: 1 when an expect= did not hold. */
int run_script(const struct node *nodes, int argc, char **argv);

/* run_failed makes the process's exit status 1. */
void run_failed(const struct node *node, const char *what, long got);

/* run_title changes what /proc/PID/cmdline shows, cut to the command line's length. */
void run_title(const char *text);

/* A statement that is not a block: statements.c, io.c, waits.c, contexts.c. */
struct statement {
	const char *name;
	int min_args; /* words after the name */
	void (*run)(struct actor *actor, const struct node *node);
};
extern const struct statement cpu_statements[], io_statements[], wait_statements[], context_statements[];

/* run_number reads a number, duration, size or object; exits 2 when it is none. */
uint64_t run_number(const struct node *node, const char *text);
/* run_word is the value of a key=value word, or otherwise. */
const char *run_word(const struct node *node, const char *key, const char *otherwise);
bool run_flag(const struct node *node, const char *word);

#endif
