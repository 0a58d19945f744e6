// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "truth.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

uint64_t truth_min_wait_ns, truth_min_call_ns = 1000000;
static int truth_fd = -1;
static const char *path_opened;

void truth_open(const char *path)
{
	path_opened = path;
	truth_fd = strcmp(path, "-") == 0 ? 1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (truth_fd < 0) {
		perror(path);
		exit(2);
	}
}

const char *truth_path(void) { return path_opened; }

uint64_t truth_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void truth_write(const char *text, size_t n)
{
	if (truth_fd >= 0 && write(truth_fd, text, n) < 0)
		return;
}

static void __attribute__((format(printf, 3, 4)))
line(const struct actor *actor, const char *type, const char *format, ...)
{
	char text[1024];
	va_list args;
	if (truth_fd < 0)
		return;
	size_t n = (size_t)snprintf(text, sizeof text, "{\"type\":\"%s\",\"pid\":%d,\"tid\":%d,\"thread\":\"%s\"", type,
				    actor->pid, actor->tid, actor->name);
	va_start(args, format);
	n += (size_t)vsnprintf(text + n, sizeof text - n, format, args);
	va_end(args);
	if (n > sizeof text - 3)
		n = sizeof text - 3;
	text[n++] = '}';
	text[n++] = '\n';
	truth_write(text, n);
}

void truth_wait(const struct actor *actor, const char *kind, const char *name, uint64_t start, int other)
{
	uint64_t end = truth_now();
	if (end - start < truth_min_wait_ns)
		return;
	line(actor, "wait",
	     ",\"kind\":\"%s\",\"name\":\"%s\",\"inside\":\"%s\",\"other_tid\":%d,\"start_ns\":%lu,\"end_ns\":%lu,\"duration_ns\":%lu",
	     kind, name, actor->calling == NULL ? "" : actor->calling, other, (unsigned long)start, (unsigned long)end,
	     (unsigned long)(end - start));
}

void truth_call(const struct actor *actor, const char *function, uint64_t start, int result)
{
	uint64_t end = truth_now();
	if (end - start < truth_min_call_ns)
		return;
	line(actor, "call", ",\"function\":\"%s\",\"result\":%d,\"start_ns\":%lu,\"end_ns\":%lu,\"duration_ns\":%lu", function,
	     result, (unsigned long)start, (unsigned long)end, (unsigned long)(end - start));
}

void truth_mark(const struct actor *actor, const char *name)
{
	line(actor, "mark", ",\"name\":\"%s\",\"start_ns\":%lu", name, (unsigned long)truth_now());
}

struct layer {
	const struct actor *actor;
	const char *name;
};

static void count(void *arg, const char *function, unsigned long long calls)
{
	const struct layer *layer = arg;
	line(layer->actor, "calls", ",\"layer\":\"%s\",\"function\":\"%s\",\"count\":%llu", layer->name, function, calls);
}

void truth_thread(const struct actor *actor)
{
	struct layer direct = {actor, "direct"}, runtime = {actor, "runtime"}, driver = {actor, "driver"}, nccl = {actor, "nccl"};
	line(actor, "thread", ",\"start_ns\":%lu,\"end_ns\":%lu", (unsigned long)actor->start_ns, (unsigned long)truth_now());
	for (int i = 0; i < call_rows_count; i++)
		if (actor->calls[i] != 0)
			count(&direct, call_rows[i].function, actor->calls[i]);
	for (int i = 0; i < actor->errors_count; i++)
		line(actor, "errors", ",\"function\":\"%s\",\"code\":%d,\"count\":%lu",
		     call_rows[actor->errors[i].row].function, actor->errors[i].code, (unsigned long)actor->errors[i].count);
	if (FC_LINKED(fakecuda_runtime_calls))
		fakecuda_runtime_calls(count, &runtime);
	if (FC_LINKED(fakecuda_driver_calls))
		fakecuda_driver_calls(count, &driver);
	if (NC_LINKED(fakenccl_calls))
		fakenccl_calls(count, &nccl);
}

void truth_process(const struct actor *actor)
{
	truth_thread(actor);
	truth_collectives_end();
}
