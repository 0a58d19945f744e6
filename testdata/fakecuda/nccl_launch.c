// SPDX-License-Identifier: Apache-2.0
//
// Launches: from the call to the end on the GPU stream.
#include "nccl_launch.h"

#include <stdlib.h>

/* One of the launch's two ends has come. */
static void drop(struct nc_launch *launch)
{
	if (atomic_fetch_sub(&launch->open, 1) > 1)
		return;
	nc_report(launch);
	nc_report_forget(launch);
	free(launch);
}

static void unfinished(struct nc_comm *comm, int change)
{
	pthread_mutex_lock(&comm->lock);
	comm->launches += (unsigned)change;
	pthread_cond_broadcast(&comm->changed);
	pthread_mutex_unlock(&comm->lock);
}

/* The launch was taken out of `reached`, or never in it. */
static void end(struct nc_launch *launch)
{
	struct nc_comm *comm = launch->comm;
	fakecuda_open(&launch->gate, launch->end_ns);
	drop(launch);
	unfinished(comm, -1);
}

/* Both are called with comm->lock held. leave tells whether all operations have ended. */
static void arrive(struct nc_launch *launch)
{
	for (unsigned i = 0; i < launch->count; i++)
		if (!launch->ops[i].arrived)
			nc_op_arrive(launch->comm->segment, &launch->ops[i], launch->reached_ns, &launch->comm->rings);
}

static bool leave(struct nc_launch *launch)
{
	bool all = true;
	for (unsigned i = 0; i < launch->count; i++) {
		struct nc_op *op = &launch->ops[i];
		if (op->left || (op->arrived && nc_op_leave(launch->comm->segment, op)))
			launch->end_ns = launch->end_ns < op->end ? op->end : launch->end_ns;
		else
			all = false;
	}
	return all;
}

static void end_all(struct nc_launch *launches)
{
	for (struct nc_launch *next; launches != NULL; launches = next) {
		next = launches->next;
		end(launches);
	}
}

void nc_launches_arrive(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	for (struct nc_launch *launch = comm->reached; launch != NULL; launch = launch->next)
		arrive(launch);
	pthread_mutex_unlock(&comm->lock);
}

void nc_launches_leave(struct nc_comm *comm)
{
	struct nc_launch *over = NULL;
	pthread_mutex_lock(&comm->lock);
	for (struct nc_launch **place = &comm->reached; *place != NULL;) {
		struct nc_launch *launch = *place;
		if (!leave(launch)) {
			place = &launch->next;
			continue;
		}
		*place = launch->next;
		launch->next = over;
		over = launch;
	}
	pthread_mutex_unlock(&comm->lock);
	end_all(over);
}

void nc_launches_abort(struct nc_comm *comm)
{
	pthread_mutex_lock(&comm->lock);
	struct nc_launch *over = comm->reached;
	comm->reached = NULL;
	pthread_mutex_unlock(&comm->lock);
	for (struct nc_launch *launch = over; launch != NULL; launch = launch->next) {
		launch->aborted = true;
		launch->end_ns = nc_now();
	}
	end_all(over);
}

/* Whether the launch goes on, for the progress thread to end. Where others are to
 * be told that it arrived, that comes before its own end: what ended here has not
 * been kept from them, even if this process is killed right after. */
static bool goes_on(struct nc_launch *launch, bool *to_tell)
{
	struct nc_comm *comm = launch->comm;
	if (comm->state != nc_ready && comm->state != nc_finalized) {
		launch->aborted = true;
		launch->end_ns = nc_now();
		return false;
	}
	arrive(launch);
	*to_tell = atomic_load(&comm->rings.any);
	if (!*to_tell && leave(launch))
		return false;
	launch->next = comm->reached;
	comm->reached = launch;
	return true;
}

static void reached(struct fakecuda_gate *gate, uint64_t at)
{
	struct nc_launch *launch = (struct nc_launch *)(void *)gate;
	struct nc_comm *comm = launch->comm;
	bool to_tell = false;
	launch->reached_ns = at;
	pthread_mutex_lock(&comm->lock);
	bool over = !goes_on(launch, &to_tell);
	comm->users += to_tell;
	pthread_mutex_unlock(&comm->lock);
	if (to_tell) {
		nc_ring(comm->seat);
		nc_comm_done(comm);
	}
	if (over)
		end(launch);
}

static uint64_t *counter_of(struct nc_comm *comm, const struct nc_op *op)
{
	return op->function == nc_send ? &comm->sent[op->root] : op->function == nc_recv ? &comm->received[op->root] : &comm->position;
}

static struct nc_launch *prepare(struct nc_comm *comm, const struct nc_task *tasks, const struct nc_caller *caller)
{
	unsigned count = 0;
	for (const struct nc_task *task = tasks; task != NULL; task = task->next)
		count++;
	struct nc_launch *launch = calloc(1, sizeof *launch + count * sizeof launch->ops[0]);
	if (launch == NULL)
		return NULL;
	launch->gate.reached = reached;
	launch->comm = comm;
	launch->caller = *caller;
	launch->open = 2;
	launch->grouped = tasks->grouped;
	for (const struct nc_task *task = tasks; task != NULL; task = task->next) {
		struct nc_op *op = &launch->ops[launch->count++];
		*op = task->op;
		op->rank = (uint32_t)comm->rank;
		op->position = ++*counter_of(comm, op);
	}
	return launch;
}

/* The operations get no positions after all. */
static void take_back(struct nc_launch *launch)
{
	for (unsigned i = launch->count; i-- > 0; launch->ops[i].position = 0)
		--*counter_of(launch->comm, &launch->ops[i]);
	unfinished(launch->comm, -1);
	launch->open = 1;
}

static CUresult start(struct nc_launch *launch, cudaStream_t stream)
{
	uint64_t ns = 0;
	for (unsigned i = 0; i < launch->count; i++)
		ns += nc_op_ns(&launch->ops[i]);
	void *params[] = {&ns};
	CUlaunchAttribute gate = {.id = FAKECUDA_LAUNCH_ATTRIBUTE_GATE, .value.gate = &launch->gate};
	CUlaunchConfig config = {
		.gridDimX = 16, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 544, .blockDimY = 1, .blockDimZ = 1,
		.hStream = stream, .attrs = &gate, .numAttrs = 1,
	};
	return cuLaunchKernelEx(&config, nc_kernel(launch->ops[0].function), params, NULL);
}

/* Operations of one communicator on several streams go into the first one, and
 * the others wait for it, as it does for them. */
static CUresult launch_on_streams(struct nc_launch *launch, const struct nc_task *tasks)
{
	struct nc_comm *comm = launch->comm;
	cudaStream_t first = tasks->stream;
	CUresult result = CUDA_SUCCESS;
	for (const struct nc_task *task = tasks; task != NULL && result == CUDA_SUCCESS; task = task->next)
		if (task->stream != first && (result = cuEventRecord(comm->before, task->stream)) == CUDA_SUCCESS)
			result = cuStreamWaitEvent(first, comm->before, 0);
	if (result == CUDA_SUCCESS)
		result = start(launch, first);
	if (result != CUDA_SUCCESS || launch->gate.mark == NULL)
		return result;
	cuEventRecord(comm->finished, first);
	for (const struct nc_task *task = tasks; task != NULL; task = task->next)
		if (task->stream != first)
			cuStreamWaitEvent(task->stream, comm->finished, 0);
	return CUDA_SUCCESS;
}

ncclResult_t nc_launch(struct nc_comm *comm, const struct nc_task *tasks, const struct nc_caller *caller,
		       struct nc_launch **launch)
{
	pthread_mutex_lock(&comm->enqueue);
	*launch = prepare(comm, tasks, caller);
	if (*launch == NULL) {
		pthread_mutex_unlock(&comm->enqueue);
		return nc_fail(ncclSystemError, "out of memory");
	}
	nc_report_expect(*launch);
	unfinished(comm, 1);
	CUresult result = launch_on_streams(*launch, tasks);
	if (result != CUDA_SUCCESS || (*launch)->gate.mark == NULL)
		take_back(*launch);
	pthread_mutex_unlock(&comm->enqueue);
	if (result == CUDA_SUCCESS)
		return ncclSuccess;
	nc_report_forget(*launch);
	free(*launch);
	return nc_fail(ncclUnhandledCudaError, "cannot launch the operation");
}

void nc_launch_called(struct nc_launch *launch, uint64_t at)
{
	launch->called_ns = at;
	drop(launch);
}
