// SPDX-License-Identifier: Apache-2.0
//
// engine: the engine process of the completion server, with the threads of
// vLLM's EngineCore. The main thread schedules and launches; others read and
// write the socket to the API server.
#include <stdio.h>
#include <stdlib.h>

#include "faults.h"
#include "input.h"
#include "model.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "run.h"
#include "scheduler.h"
#include "truth.h"

__asm__(".section .rodata\n.globl engine_script\n.hidden engine_script\nengine_script:\n.incbin \"engine/engine.wl\"\n.byte 0\n.previous\n");
extern const char engine_script[];

struct engine {
	struct options options;
	struct scheduler scheduler;
	struct actor *dispatcher;
	uint64_t collected_ns; /* end of the last dispatch cycle */
};

static void handle(struct engine *engine, struct message *m)
{
	switch (m->kind) {
	case message_add:
		scheduler_add(&engine->scheduler, m->sequence, truth_now());
		break;
	case message_abort:
		scheduler_abort(&engine->scheduler, m->name);
		break;
	case message_fault:
		faults_command(m->name, m->ns);
		break;
	}
}

static void handle_all(struct engine *engine, struct message *m)
{
	while (m != NULL) {
		struct message *next = m->next;
		handle(engine, m);
		free(m);
		m = next;
	}
}

/* Handles what came; blocks while there is nothing to compute. False: it is over. */
static bool take_input(struct engine *engine, uint64_t *idle_ns)
{
	bool ended;
	uint64_t start = truth_now();
	handle_all(engine, input_poll(&ended));
	while (!ended && scheduler_idle(&engine->scheduler)) {
		handle_all(engine, input_wait(&ended));
		*idle_ns = truth_now() - start;
	}
	return !ended;
}

/* Not in a cycle that is long anyway: it would not be told apart from that. */
static struct injected inject(struct engine *engine, const struct cycle *cycle)
{
	if (cycle->idle_ns > 0 || cycle->gpu_ns >= engine->options.long_cycle_ns)
		return (struct injected){0};
	return faults_inject(engine->dispatcher);
}

static void run_step(struct engine *engine, struct cycle *cycle)
{
	struct step step = scheduler_begin(&engine->scheduler, truth_now());
	cycle->gpu_ns = model_launch(engine->dispatcher, &engine->options, &step);
	struct injected injected = inject(engine, cycle);
	model_collect(engine->dispatcher);
	cycle->end_ns = engine->collected_ns = truth_now();
	if (injected.name != NULL)
		report_fault(&injected, cycle, &engine->scheduler);
	else if (cycle->end_ns - cycle->start_ns >= engine->options.long_cycle_ns)
		report_long_cycle(cycle, &engine->scheduler);
	scheduler_end(&engine->scheduler, cycle->end_ns);
	output_post();
}

static void serve(struct engine *engine)
{
	engine->collected_ns = truth_now();
	for (;;) {
		struct cycle cycle = {.start_ns = engine->collected_ns};
		if (!take_input(engine, &cycle.idle_ns))
			return;
		run_step(engine, &cycle);
	}
}

int main(int argc, char **argv)
{
	static struct engine engine;
	options_read(&engine.options, argc, argv);
	engine.scheduler.options = &engine.options;
	engine.dispatcher = run_enter(argc, argv);
	const struct node *script = script_parse("engine.wl", engine_script);
	report_open(engine.options.truth, engine.options.index);
	model_load(engine.dispatcher, script);
	faults_prepare(engine.dispatcher, script, &engine.options);
	input_start((int)engine.options.socket);
	output_start((int)engine.options.socket);
	report_engine("ready");
	output_ready();
	output_post();
	serve(&engine);
	report_engine("ended");
	model_unload(engine.dispatcher);
	return 0;
}
