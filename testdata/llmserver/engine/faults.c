// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "objects.h"
#include "report.h"
#include "truth.h"

#define MAX_FAULTS 16
#define MAX_COMMANDS 64

struct fault {
	const char *name, *cause;
	const struct node *inject;
};

static struct fault faults[MAX_FAULTS]; /* the prepared ones */
static size_t faults_count;

static struct {
	uint64_t every_ns, for_ns, gap_ns;
	size_t turn;       /* index of the next one */
	uint64_t due_ns;   /* when it comes */
	uint64_t quiet_ns; /* no fault before */
} schedule;

/* A ring of what was asked for. */
static struct command {
	const struct fault *fault;
	uint64_t ns;
} commands[MAX_COMMANDS];
static size_t commands_first, commands_count;

static const struct node *named(const struct node *script, const char *name)
{
	for (; script != NULL; script = script->next)
		if (script->argc == 3 && strcmp(script->argv[0], "fault") == 0 && strcmp(script->argv[1], name) == 0)
			return script;
	fprintf(stderr, "engine: --faults: there is no fault %s\n", name);
	exit(2);
}

static void prepare(struct actor *dispatcher, const struct node *node)
{
	if (faults_count == MAX_FAULTS) {
		fprintf(stderr, "engine: --faults: more than %d\n", MAX_FAULTS);
		exit(2);
	}
	faults[faults_count++] = (struct fault){node->argv[1], node->argv[2], script_block(node->body, "inject")};
	for (const struct node *part = node->body; part != NULL; part = part->next)
		if (strcmp(part->argv[0], "prepare") == 0)
			run_block(dispatcher, part->body);
}

void faults_prepare(struct actor *dispatcher, const struct node *script, const struct options *options)
{
	char *names = strdup(options->faults == NULL ? "" : options->faults);
	for (char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ","))
		prepare(dispatcher, named(script, name));
	free(names);
	schedule.every_ns = options->fault_every_ns;
	schedule.for_ns = options->fault_for_ns;
	schedule.gap_ns = options->fault_gap_ns;
	schedule.due_ns = truth_now() + options->fault_every_ns;
}

void faults_command(const char *name, uint64_t ns)
{
	for (size_t i = 0; i < faults_count; i++)
		if (strcmp(faults[i].name, name) == 0 && commands_count < MAX_COMMANDS) {
			commands[(commands_first + commands_count++) % MAX_COMMANDS] = (struct command){&faults[i], ns};
			return;
		}
	report_refused(name);
}

/* The fault that is due now; of none the fault is NULL. */
static struct command due(uint64_t now)
{
	struct command none = {NULL, 0};
	if (now < schedule.quiet_ns)
		return none;
	if (commands_count > 0) {
		commands_count--;
		return commands[commands_first++ % MAX_COMMANDS];
	}
	if (schedule.every_ns == 0 || faults_count == 0 || now < schedule.due_ns)
		return none;
	schedule.due_ns = now + schedule.every_ns;
	return (struct command){&faults[schedule.turn++ % faults_count], schedule.for_ns};
}

struct injected faults_inject(struct actor *dispatcher)
{
	uint64_t now = truth_now();
	struct command command = due(now);
	struct injected injected = {NULL, NULL, now, now};
	if (command.fault == NULL)
		return injected;
	object_set("for", command.ns);
	injected.name = command.fault->name;
	injected.cause = command.fault->cause;
	injected.start_ns = truth_now();
	run_block(dispatcher, command.fault->inject);
	injected.end_ns = truth_now();
	schedule.quiet_ns = injected.end_ns + schedule.gap_ns;
	return injected;
}
