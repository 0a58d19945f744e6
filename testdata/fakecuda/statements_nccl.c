// SPDX-License-Identifier: Apache-2.0
//
// Statements about NCCL: unique ids, and waiting for non-blocking communicators.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "call_nccl.h"
#include "objects.h"
#include "statements_nccl.h"
#include "truth.h"

/* Reads the id that another program wrote; false where the file is not there. */
static bool read_id(const struct node *node, const char *path, ncclUniqueId *id)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, id, sizeof *id) != sizeof *id)
		script_fail(node, "the file has no unique id");
	close(fd);
	return true;
}

/* Makes the file with the id, whole, unless another program was first. */
static void write_id(const struct node *node, const char *path, ncclUniqueId *id)
{
	char own[4096];
	snprintf(own, sizeof own, "%s.%d", path, getpid());
	int fd = open(own, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, id, sizeof *id) != sizeof *id || close(fd) != 0)
		script_fail(node, strerror(errno));
	int result = link(own, path);
	int error = errno;
	unlink(own);
	if (result != 0 && (error != EEXIST || !read_id(node, path, id)))
		script_fail(node, strerror(error));
}

static void new_id(const struct node *node, ncclUniqueId *id)
{
	const char *seed = run_word(node, "seed", NULL);
	for (size_t i = 0; seed != NULL && i < sizeof *id; i++)
		id->internal[i] = (char)(run_number(node, seed) + i);
	if (seed == NULL && getrandom(id, sizeof *id, 0) != sizeof *id)
		script_fail(node, strerror(errno));
}

void run_nccl_id(struct actor *actor, const struct node *node)
{
	ncclUniqueId id;
	const char *path = run_word(node, "file", NULL);
	(void)actor;
	if (path == NULL || !read_id(node, path, &id)) {
		new_id(node, &id);
		if (path != NULL)
			write_id(node, path, &id);
	}
	id_set(node->argv[1], &id);
}

/* Polls with a sleep, as programs do. */
void run_nccl_wait(struct actor *actor, const struct node *node)
{
	char buffer[64];
	uint64_t comm, start = truth_now();
	ncclResult_t async;
	const char *name = call_own_name(node->argv[1], actor->index, buffer, sizeof buffer);
	const char *expect = run_word(node, "expect", "0");
	if (!object_find(name, &comm))
		script_fail(node, "no such communicator");
	int function = call_row("ncclCommGetAsyncError");
	__typeof__(&ncclCommGetAsyncError) ask = (__typeof__(ask))run_address(node, "ncclCommGetAsyncError");
	do {
		actor->calls[function]++;
		if (ask((ncclComm_t)(uintptr_t)comm, &async) != ncclSuccess)
			script_fail(node, "no such communicator");
		if (async == ncclInProgress)
			usleep(200);
	} while (async == ncclInProgress);
	truth_wait(actor, "nccl", name, start, 0);
	if ((uint64_t)async != run_number(node, expect))
		run_failed(node, expect, async);
}
