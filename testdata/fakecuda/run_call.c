// SPDX-License-Identifier: Apache-2.0
//
// Statements that call a function of the CUDA stack.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "objects.h"
#include "run.h"
#include "truth.h"

static void count_result(struct actor *actor, int row, int code, uint64_t times)
{
	actor->calls[row] += times;
	if (code == 0)
		return;
	for (int i = 0; i < MAX_ERRORS; i++) {
		if (i == actor->errors_count) {
			actor->errors[i].row = row;
			actor->errors[i].code = code;
			actor->errors_count++;
		}
		if (actor->errors[i].row == row && actor->errors[i].code == code) {
			actor->errors[i].count += times;
			return;
		}
	}
}

void *run_address(const struct node *node, const char *call)
{
	const char *dot = strchr(call, '.'), *function = dot == NULL ? call : dot + 1;
	char library[32] = "";
	uint64_t handle;
	int row = call_row(function);
	void *linked = row < 0 ? NULL : call_rows[row].address;
	if (linked == NULL && faketorch_function != NULL)
		linked = faketorch_function(function);
	if (dot == NULL && linked == NULL)
		script_fail(node, "this program is not linked to it: LIBRARY.FUNCTION after dlopen");
	if (dot == NULL)
		return linked;
	snprintf(library, sizeof library, "%.*s", (int)(dot - call), call);
	if (!object_find(library, &handle))
		script_fail(node, "no such library");
	void *address = dlsym((void *)(uintptr_t)handle, function);
	if (address == NULL)
		script_fail(node, dlerror());
	return address;
}

static void check_keys(const struct node *node, const struct call_row *row)
{
	for (int i = 1; i < node->argc; i++) {
		char key[64];
		snprintf(key, sizeof key, "%.*s:", (int)strcspn(node->argv[i], "="), node->argv[i]);
		if (strstr(row->shape, key) == NULL &&
		    strstr("times: expect: out: ns: grid: block: smem: stream: width: height: load: blocking:", key) == NULL)
			script_fail(node, node->argv[i]);
	}
}

bool run_call(struct actor *actor, const struct node *node)
{
	const char *dot = strchr(node->argv[0], '.'), *function = dot == NULL ? node->argv[0] : dot + 1;
	int row = call_row(function), code = 0;
	if (row < 0)
		return false;
	if (node->last == 0) {
		check_keys(node, &call_rows[row]);
		((struct node *)(uintptr_t)node)->last = 1;
	}
	struct call call = {.row = &call_rows[row]};
	const char *wrong = call_prepare(&call, node->argv + 1, actor->index);
	if (wrong != NULL)
		script_fail(node, wrong);
	void *address = run_address(node, node->argv[0]);
	uint64_t times = run_number(node, run_word(node, "times", "1"));
	const char *outer = actor->calling, *expect = run_word(node, "expect", NULL);
	actor->calling = function;
	uint64_t start = truth_now();
	for (uint64_t i = 0; i < times; i++)
		code = call_invoke(address, &call);
	actor->calling = outer;
	if (times == 1)
		truth_call(actor, function, start, code);
	count_result(actor, row, code, times);
	call_results(&call, code, actor->index);
	if (expect != NULL && strcmp(expect, "any") != 0 && (int)run_number(node, expect) != code)
		run_failed(node, expect, code);
	return true;
}
