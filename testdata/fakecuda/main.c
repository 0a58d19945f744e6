// SPDX-License-Identifier: Apache-2.0
//
// workload SCRIPT [--name=value ...]: runs a script (README.md). The script "-"
// is standard input. Options with a meaning of their own: --truth=FILE,
// --truth-min=DURATION (waits), --slow=DURATION (calls), --collectives=1.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "run.h"
#include "truth.h"

static char *read_all(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	size_t size = 0, room = 4096;
	char *text = malloc(room);
	if (file == NULL || text == NULL) {
		perror(path);
		exit(2);
	}
	for (size_t n; (n = fread(text + size, 1, room - size - 1, file)) > 0;) {
		size += n;
		if (room - size < 2 && (text = realloc(text, room *= 2)) == NULL)
			exit(2);
	}
	text[size] = '\0';
	return text;
}

static void option(char *word)
{
	char *equals = strchr(word, '=');
	uint64_t ns = 0;
	if (equals == NULL) {
		fprintf(stderr, "%s: options are --name=value\n", word);
		exit(2);
	}
	*equals = '\0';
	if (strcmp(word, "truth") == 0)
		truth_open(equals + 1);
	else if (strcmp(word, "truth-min") == 0 && call_number(equals + 1, &ns) == 0)
		truth_min_wait_ns = ns;
	else if (strcmp(word, "slow") == 0 && call_number(equals + 1, &ns) == 0)
		truth_min_call_ns = ns;
	else if (strcmp(word, "collectives") == 0 && strcmp(equals + 1, "1") == 0)
		truth_collectives();
	else
		script_define(word, equals + 1);
}

int main(int argc, char **argv)
{
	const char *script = NULL;
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			option(strdup(argv[i] + 2));
		else
			script = argv[i];
	}
	if (script == NULL) {
		fprintf(stderr, "usage: workload SCRIPT [--name=value ...] [--truth=FILE]\n");
		return 2;
	}
	return run_script(script_parse(script, read_all(script)), argc, argv);
}
