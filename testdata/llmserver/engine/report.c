// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

static FILE *file;
static uint64_t engine_index;

void report_open(const char *path, uint64_t index)
{
	static char buffer[1 << 20];
	engine_index = index;
	if (path == NULL)
		return;
	file = fopen(path, "ae");
	if (file == NULL) {
		fprintf(stderr, "engine: --truth=%s: %s\n", path, strerror(errno));
		exit(2);
	}
	setvbuf(file, buffer, _IOFBF, sizeof buffer);
}

/* What to add to a monotonic time to get a wall clock's. */
static uint64_t wall_offset(void)
{
	struct timespec wall;
	uint64_t before = truth_now();
	clock_gettime(CLOCK_REALTIME, &wall);
	uint64_t now = before + (truth_now() - before) / 2;
	return (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - now;
}

static void begin(const char *type)
{
	fprintf(file, "{\"type\":\"%s\",\"engine\":%" PRIu64 ",\"pid\":%d", type, engine_index, getpid());
}

static void end(void)
{
	fputs("}\n", file);
	fflush(file);
}

static void number(const char *key, uint64_t value) { fprintf(file, ",\"%s\":%" PRIu64, key, value); }
static void text(const char *key, const char *value) { fprintf(file, ",\"%s\":\"%s\"", key, value); }

static void instant(const char *key, uint64_t ns)
{
	fprintf(file, ",\"%s_ns\":%" PRIu64 ",\"%s_unix_ns\":%" PRIu64, key, ns, key, ns + wall_offset());
}

static void ids(const char *key, const struct sequence *list)
{
	fprintf(file, ",\"%s\":[", key);
	for (const struct sequence *s = list; s != NULL; s = s->next)
		fprintf(file, "%s\"%s\"", s == list ? "" : ",", s->id);
	fputc(']', file);
}

static void present(const struct scheduler *scheduler)
{
	ids("running", scheduler->running);
	ids("waiting", scheduler->waiting);
}

void report_engine(const char *state)
{
	if (file == NULL)
		return;
	begin("engine");
	number("tid", (uint64_t)syscall(SYS_gettid));
	text("state", state);
	instant("at", truth_now());
	end();
}

void report_refused(const char *fault)
{
	if (file == NULL)
		return;
	begin("refused");
	text("fault", fault);
	instant("at", truth_now());
	end();
}

void report_sequence(const struct sequence *s)
{
	if (file == NULL)
		return;
	begin("sequence");
	text("id", s->id);
	text("traceparent", s->traceparent);
	number("prompt_tokens", s->prompt_tokens);
	number("completion_tokens", s->generated);
	number("logprobs", s->logprobs);
	instant("received", s->received_ns);
	instant("queued", s->queued_ns);
	instant("scheduled", s->scheduled_ns);
	instant("first_token", s->first_ns);
	instant("last_token", s->last_ns);
	end();
}

void report_fault(const struct injected *injected, const struct cycle *cycle, const struct scheduler *scheduler)
{
	if (file == NULL)
		return;
	begin("fault");
	text("fault", injected->name);
	text("cause", injected->cause);
	instant("start", injected->start_ns);
	instant("end", injected->end_ns);
	instant("cycle_start", cycle->start_ns);
	instant("cycle_end", cycle->end_ns);
	present(scheduler);
	end();
}

void report_long_cycle(const struct cycle *cycle, const struct scheduler *scheduler)
{
	if (file == NULL)
		return;
	begin("long_cycle");
	instant("start", cycle->start_ns);
	instant("end", cycle->end_ns);
	number("idle_ns", cycle->idle_ns);
	number("gpu_ns", cycle->gpu_ns);
	present(scheduler);
	end();
}
