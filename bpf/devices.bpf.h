/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which GPUs a process uses, as far as seen: what every GPU has under one handle is told apart by them. */
#ifndef GPUCAUSE_DEVICES_BPF_H
#define GPUCAUSE_DEVICES_BPF_H

#include "functions.bpf.h"

#define WHOLE_DEVICE (~0ULL) /* the handle of all GPU streams of a GPU together */
#define NO_HANDLE 3ULL	     /* of what cannot be told apart: nothing is kept of it */
#define STREAM_LEGACY 1ULL
#define STREAM_PER_THREAD 2ULL

/* The process of the calling thread uses a GPU: device is 1 + its number, 0: not known. */
static __noinline int see_device(struct caller *caller, u32 device)
{
	struct process *process;
	u32 tgid;

	if (!caller || !device)
		return 0;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process && process->device != device)
		process->device = process->device ? SEVERAL_DEVICES : device;
	return 0;
}

/* The thread has chosen a GPU. */
static __noinline int set_device(struct caller *caller, u32 device)
{
	if (!caller || caller->device == device + 1)
		return 0;
	caller->device = device + 1;
	return see_device(caller, device + 1);
}

/*
 * What every GPU has under the same handle, that of a GPU (1 + its number, 0: not
 * known): all its GPU streams together, or the legacy one (0). Where a process uses
 * one GPU, as far as seen, that is the one.
 */
static __noinline u64 of_device(struct caller *caller, u64 handle, u32 device)
{
	struct process *process;
	u32 tgid;

	if (!caller)
		return NO_HANDLE;
	tgid = caller->task.tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process || process->device != SEVERAL_DEVICES)
		return handle;
	if (!device)
		return NO_HANDLE;
	return handle == WHOLE_DEVICE ? WHOLE_DEVICE - device : (u64)device << 8 | STREAM_LEGACY;
}

/* The handle under which the dependencies of a GPU stream are kept; one that every GPU has is device's. */
static __always_inline u64 stream_handle(struct caller *caller, const volatile struct probe_row *row, u64 stream, u32 device)
{
	if (stream == STREAM_PER_THREAD || (!stream && row->per_thread))
		return (u64)caller->task.tid << 8 | STREAM_PER_THREAD;
	return stream == STREAM_LEGACY || !stream ? of_device(caller, 0, device) : stream;
}

#endif
