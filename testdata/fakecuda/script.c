// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 64
#define MAX_VARIABLES 128

static struct {
	char *name, *value;
} variables[MAX_VARIABLES];
static int variables_count;
static const char *script_name = "script";

struct reader {
	const char *at;
	int line;
};

void script_fail(const struct node *node, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", script_name, node->line, node->argc > 0 ? node->argv[0] : "", what);
	exit(2);
}

static void fail(const struct reader *r, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", script_name, r->line, what);
	exit(2);
}

static const char *variable(const char *name, size_t n)
{
	for (int i = 0; i < variables_count; i++)
		if (strlen(variables[i].name) == n && strncmp(variables[i].name, name, n) == 0)
			return variables[i].value;
	return NULL;
}

void script_define(const char *name, const char *value)
{
	if (variable(name, strlen(name)) != NULL || variables_count == MAX_VARIABLES)
		return;
	variables[variables_count].name = strdup(name);
	variables[variables_count++].value = strdup(value);
}

/* The value of $NAME or ${NAME} at r, which is moved past it. */
static const char *expansion(struct reader *r)
{
	const char *start = r->at + (r->at[1] == '{' ? 2 : 1), *end = start;
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	const char *value = variable(start, (size_t)(end - start));
	if (value == NULL)
		fail(r, "variable is not set");
	r->at = end + (r->at[1] == '{' && *end == '}');
	return value;
}

static char *read_word(struct reader *r)
{
	char buffer[4096];
	size_t n = 0;
	bool quoted = false;
	while (*r->at != '\0' && n < sizeof buffer - 1) {
		char c = *r->at;
		if (c == '"') {
			quoted = !quoted;
			r->at++;
		} else if (c == '$') {
			const char *value = expansion(r);
			size_t length = strlen(value);
			if (n + length >= sizeof buffer - 1)
				fail(r, "word is too long");
			memcpy(buffer + n, value, length);
			n += length;
		} else if (c == '\n' || (!quoted && (isspace((unsigned char)c) || strchr(";{}#", c) != NULL))) {
			break;
		} else {
			buffer[n++] = c;
			r->at++;
		}
	}
	if (quoted)
		fail(r, "quote is not closed");
	return strndup(buffer, n);
}

static void skip_blanks(struct reader *r)
{
	for (;; r->at++) {
		if (*r->at == '#')
			r->at += strcspn(r->at, "\n");
		if (*r->at == '\n')
			r->line++;
		else if (!isspace((unsigned char)*r->at) && *r->at != ';')
			return;
	}
}

static struct node *read_block(struct reader *r, bool top);

static struct node *read_statement(struct reader *r)
{
	char *words[MAX_WORDS + 1];
	struct node *node = calloc(1, sizeof *node);
	node->line = r->line;
	while (node->argc < MAX_WORDS) {
		r->at += strspn(r->at, " \t\r");
		if (*r->at == '\0' || strchr("\n;{}#", *r->at) != NULL)
			break;
		words[node->argc++] = read_word(r);
	}
	words[node->argc] = NULL;
	node->argv = calloc((size_t)node->argc + 1, sizeof *node->argv);
	memcpy(node->argv, words, sizeof *words * ((size_t)node->argc + 1));
	if (*r->at == '{') {
		r->at++;
		node->body = read_block(r, false);
	}
	if (node->argc == 0)
		fail(r, "a statement begins with a word");
	if (strcmp(node->argv[0], "set") == 0 && node->argc >= 2)
		script_define(node->argv[1], node->argc > 2 ? node->argv[2] : "");
	return node;
}

static struct node *read_block(struct reader *r, bool top)
{
	struct node *first = NULL, **place = &first;
	int line = r->line;
	for (;;) {
		skip_blanks(r);
		if (*r->at == '\0' || *r->at == '}')
			break;
		*place = read_statement(r);
		place = &(*place)->next;
	}
	if ((*r->at == '\0') != top) {
		r->line = top ? r->line : line;
		fail(r, top ? "} without {" : "{ is not closed");
	}
	r->at += !top;
	return first;
}

struct node *script_parse(const char *name, const char *text)
{
	struct reader r = {text, 1};
	script_name = name;
	return read_block(&r, true);
}
