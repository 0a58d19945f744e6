// SPDX-License-Identifier: Apache-2.0
//
// engine [--seconds=N] [--faults=NAME,...] [--name=value ...]: a small
// inference server, engine.wl, with the faults that are named.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "run.h"
#include "truth.h"

__asm__(".section .rodata\n.globl engine_script\n.hidden engine_script\nengine_script:\n.incbin \"engine.wl\"\n.byte 0\n.previous\n");
extern const char engine_script[];

static const char *const faults[] = {"lock", "io", "hog", "firstlaunch", "queue", "prefill", "malloc", "input"};

static int switch_on(char *names)
{
	for (char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ",")) {
		size_t i = 0, count = sizeof faults / sizeof faults[0];
		while (i < count && strcmp(faults[i], name) != 0)
			i++;
		if (i == count && strcmp(name, "none") != 0) {
			fprintf(stderr, "engine: no fault %s\n", name);
			return -1;
		}
		script_define(name, "1");
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *word = strncmp(argv[i], "--", 2) == 0 ? strdup(argv[i] + 2) : NULL, *value = NULL;
		if (word != NULL && (value = strchr(word, '=')) != NULL)
			*value++ = '\0';
		else if (word != NULL && i + 1 < argc)
			value = argv[++i];
		if (word == NULL || value == NULL) {
			fprintf(stderr, "usage: engine [--seconds=N] [--faults=NAME,...] [--dir=PATH] [--cpu=N] [--truth=FILE]\n");
			return 2;
		}
		if (strcmp(word, "truth") == 0) {
			truth_open(value);
		} else if (strcmp(word, "seconds") == 0) {
			char seconds[64];
			snprintf(seconds, sizeof seconds, "%ss", value);
			script_define("duration", seconds);
		} else if (strcmp(word, "faults") == 0) {
			if (switch_on(strdup(value)) != 0)
				return 2;
		} else {
			script_define(word, value);
		}
	}
	truth_min_wait_ns = truth_min_call_ns = 1000000;
	return run_script(script_parse("engine.wl", engine_script), argc, argv);
}
