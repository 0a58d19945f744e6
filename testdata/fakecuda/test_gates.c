// SPDX-License-Identifier: Apache-2.0
//
// test-gates: work whose end is not known when it is queued, on streams,
// through events, in every kind of wait.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fakecuda.h"

#define MS 1000000ULL

static uint64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void check(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "test_gates.c:%d: %s\n", line, what);
	exit(1);
}
#define CHECK(what) check(what, #what, __LINE__)
#define OK(call) check((call) == CUDA_SUCCESS, #call, __LINE__)

struct gate {
	struct fakecuda_gate gate; /* first */
	_Atomic uint64_t reached;  /* 0: not yet */
	uint64_t open_after;       /* not 0: opened by `reached`, so long after it */
};

static void reached(struct fakecuda_gate *gate, uint64_t at)
{
	struct gate *own = (struct gate *)(void *)gate;
	own->reached = at;
	if (own->open_after != 0)
		fakecuda_open(gate, at + own->open_after);
}

static CUfunction function;

static void launch(CUstream stream, uint64_t ns, struct gate *gate)
{
	void *params[] = {&ns};
	CUlaunchAttribute attribute = {.id = FAKECUDA_LAUNCH_ATTRIBUTE_GATE};
	CUlaunchConfig config = {1, 1, 1, 1, 1, 1, 0, stream, NULL, 0};
	if (gate != NULL) {
		gate->gate.reached = reached;
		attribute.value.gate = &gate->gate;
		config.attrs = &attribute;
		config.numAttrs = 1;
	}
	OK(cuLaunchKernelEx(&config, function, params, NULL));
}

static CUstream new_stream(unsigned flags)
{
	CUstream stream;
	OK(cuStreamCreate(&stream, flags));
	return stream;
}

static CUevent recorded(CUstream stream)
{
	CUevent event;
	OK(cuEventCreate(&event, 0));
	OK(cuEventRecord(event, stream));
	return event;
}

/* Opens a gate after a while, on another thread. */
struct opener {
	struct gate *gate;
	uint64_t at;
};

static void *open_later(void *arg)
{
	struct opener *opener = arg;
	usleep(10000);
	opener->at = now();
	fakecuda_open(&opener->gate->gate, opener->at);
	return NULL;
}

/* wait() must return after the gate was opened, and not before. */
static void waits_for_gate(struct gate *gate, CUresult (*wait)(void *), void *arg)
{
	pthread_t thread;
	struct opener opener = {.gate = gate};
	CHECK(pthread_create(&thread, NULL, open_later, &opener) == 0);
	OK(wait(arg));
	uint64_t returned = now();
	pthread_join(thread, NULL);
	CHECK(returned >= opener.at);
}

static CUresult wait_stream(void *stream) { return cuStreamSynchronize(stream); }
static CUresult wait_event(void *event) { return cuEventSynchronize(event); }
static CUresult wait_device(void *unused) { return unused == NULL ? cuCtxSynchronize() : CUDA_SUCCESS; }
static CUresult wait_copy(void *unused) { return unused == NULL ? cuMemcpyHtoD_v2(0x1000, &unused, 8) : CUDA_SUCCESS; }

static void in_order(void)
{
	CUstream a = new_stream(CU_STREAM_NON_BLOCKING), b = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate first = {0}, second = {0};
	float ms;
	CUevent before = recorded(a);
	launch(a, MS, NULL);
	uint64_t queued = now();
	launch(a, 0, &first);
	CHECK(first.reached > queued - MS && first.reached < queued + MS); /* known in advance */
	launch(a, 2 * MS, NULL);
	CUevent event = recorded(a);
	launch(a, 0, &second);
	OK(cuStreamWaitEvent(b, event, 0));
	launch(b, MS, NULL);
	CUevent last = recorded(b);
	CHECK(second.reached == 0);
	CHECK(cuStreamQuery(a) == CUDA_ERROR_NOT_READY && cuStreamQuery(b) == CUDA_ERROR_NOT_READY);
	CHECK(cuEventQuery(event) == CUDA_ERROR_NOT_READY && cuEventElapsedTime(&ms, before, event) == CUDA_ERROR_NOT_READY);
	uint64_t end = now() + 5 * MS;
	fakecuda_open(&first.gate, end);
	CHECK(second.reached == end + 2 * MS);
	OK(cuEventSynchronize(last));
	CHECK(now() >= end + 3 * MS);
	OK(cuEventElapsedTime(&ms, event, last));
	CHECK(ms > 0.99f && ms < 1.01f);
	CHECK(cuStreamQuery(a) == CUDA_ERROR_NOT_READY);
	waits_for_gate(&second, wait_stream, a);
}

static void every_wait(void)
{
	CUstream blocking = new_stream(0), other = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate gates[6] = {0};
	launch(blocking, 0, &gates[0]);
	waits_for_gate(&gates[0], wait_event, recorded(blocking));
	launch(blocking, 0, &gates[1]);
	waits_for_gate(&gates[1], wait_stream, NULL); /* the legacy stream */
	launch(other, 0, &gates[2]);
	OK(cuStreamSynchronize(NULL));
	waits_for_gate(&gates[2], wait_device, NULL);
	launch(blocking, 0, &gates[3]);
	waits_for_gate(&gates[3], wait_copy, NULL);
	launch(NULL, 0, &gates[4]);
	launch(blocking, MS, NULL);
	waits_for_gate(&gates[4], wait_stream, blocking);
	launch(blocking, 0, &gates[5]);
	CUevent both = recorded(NULL);
	CHECK(cuEventQuery(both) == CUDA_ERROR_NOT_READY && cuStreamQuery(NULL) == CUDA_ERROR_NOT_READY);
	waits_for_gate(&gates[5], wait_event, both);
}

static void spinning(void)
{
	CUstream stream = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate gate = {0};
	fakecuda_set("spin", 1);
	launch(stream, 0, &gate);
	waits_for_gate(&gate, wait_stream, stream);
	fakecuda_set("spin", 0);
}

static _Atomic uint64_t called;
static void host_function(void *unused)
{
	(void)unused;
	called = now();
}

static void host_functions(void)
{
	CUstream stream = new_stream(0);
	struct gate gate = {0};
	launch(stream, 0, &gate);
	OK(cuLaunchHostFunc(stream, host_function, NULL));
	usleep(2000);
	CHECK(called == 0);
	uint64_t end = now() + MS;
	fakecuda_open(&gate.gate, end);
	OK(cuStreamSynchronize(stream));
	for (int i = 0; called == 0 && i < 5000; i++)
		usleep(1000);
	CHECK(called >= end);
}

static void *fill(void *stream)
{
	for (int i = 0; i < 20; i++)
		launch(stream, 1000, NULL);
	return stream;
}

/* A launch into a queue that is full behind a gate spins until the gate opens. */
static void full_queue(void)
{
	CUstream stream = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate gate = {0};
	pthread_t thread;
	fakecuda_set("queue_depth", 8);
	launch(stream, 0, &gate);
	CHECK(pthread_create(&thread, NULL, fill, stream) == 0);
	usleep(5000);
	CHECK(pthread_tryjoin_np(thread, NULL) != 0);
	fakecuda_open(&gate.gate, now());
	CHECK(pthread_join(thread, NULL) == 0);
	OK(cuStreamSynchronize(stream));
	fakecuda_set("queue_depth", 1024);
}

/* Gates that are opened as they are reached, in a long chain. */
static void chain(void)
{
	enum { LENGTH = 1000 };
	static struct gate gates[LENGTH];
	CUstream stream = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate first = {0};
	launch(stream, 0, &first);
	for (int i = 0; i < LENGTH; i++) {
		gates[i].open_after = 1000;
		launch(stream, 0, &gates[i]);
	}
	uint64_t end = now();
	fakecuda_open(&first.gate, end);
	CHECK(gates[LENGTH - 1].reached == end + 1000 * (LENGTH - 1));
	OK(cuStreamSynchronize(stream));
}

static void captured(void)
{
	CUstream stream = new_stream(CU_STREAM_NON_BLOCKING);
	struct gate gate = {0};
	CUgraph graph;
	CUgraphExec exec;
	OK(cuStreamBeginCapture_v2(stream, 0));
	launch(stream, 3 * MS, &gate);
	OK(cuStreamEndCapture(stream, &graph));
	CHECK(gate.gate.mark == NULL && gate.reached == 0);
	OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
	uint64_t start = now();
	OK(cuGraphLaunch(exec, stream));
	OK(cuStreamSynchronize(stream));
	CHECK(now() >= start + 3 * MS);
}

/* In a child nobody opens a gate: what waits for one is over. */
static void forked(void)
{
	CUstream stream = new_stream(0);
	struct gate gate = {0};
	int status = 1;
	launch(stream, 0, &gate);
	CUevent event = recorded(stream);
	pid_t pid = fork();
	if (pid == 0) {
		launch(stream, MS, NULL);
		bool over = cuEventSynchronize(event) == CUDA_SUCCESS && cuStreamSynchronize(stream) == CUDA_SUCCESS &&
			    cuCtxSynchronize() == CUDA_SUCCESS;
		_exit(over ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	waits_for_gate(&gate, wait_stream, stream);
}

int main(void)
{
	const struct fakecuda_image image = {FAKECUDA_IMAGE_MAGIC, 0};
	CUmodule module;
	OK(cuModuleLoadData(&module, &image));
	OK(cuModuleGetFunction(&function, module, "gated"));
	in_order();
	every_wait();
	spinning();
	host_functions();
	full_queue();
	chain();
	captured();
	forked();
	printf("gates ok\n");
	return 0;
}
