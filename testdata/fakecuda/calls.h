/* SPDX-License-Identifier: Apache-2.0
 *
 * Calling any function of the stack with arguments given as text.
 *
 * All parameters are of the INTEGER class, so a call is a function address and
 * up to 12 eight-byte slots; a dim3 by value fills two. A ncclUniqueId by value
 * is in none of them.
 */
#ifndef FAKECUDA_CALLS_H
#define FAKECUDA_CALLS_H

#include <stdint.h>

#include "fakecuda.h"
#include "fakenccl.h"

#define CALL_SLOTS 12
#define CALL_LIST 64
#define CALL_ROWS 256 /* of calls.def, at most */

struct call_row {
	const char *function;
	void *address;     /* as linked into this program */
	const char *shape; /* "key:type ...", types in calls.c */
};

extern const struct call_row call_rows[];
extern const int call_rows_count;

/* What a call's slots may point to. Stays where it is until the call is over. */
struct call {
	const struct call_row *row;
	uint64_t slot[CALL_SLOTS];
	const char *out_name; /* object to set from out after a call that returned 0 */
	uint64_t out;
	uint64_t ns;
	void *params[2];
	cudaLaunchConfig_t runtime_config;
	CUlaunchConfig driver_config;
	CUDA_MEMCPY2D rectangle;
	struct fakecuda_image image;
	uint64_t scratch[4];
	const ncclUniqueId *by_value; /* the third argument, before the third slot; or NULL */
	const char *id_name;          /* unique id to name after a call that returned 0 */
	ncclUniqueId ids[4];
	ncclConfig_t config;
	int numbers[CALL_LIST];
	const char *comms_name; /* of comms_count communicators, NAME0, NAME1, ... */
	ncclComm_t *comms;
	unsigned comms_count;
};

/* call_row returns the index of a function's row, -1 for an unknown one. */
int call_row(const char *function);

/* call_prepare fills the slots from "key=value" words; NULL, or what is wrong.
 * index replaces '@' in names of objects. */
const char *call_prepare(struct call *call, char *const *words, int index);

/* call_own_name is name with '@' replaced by index, perhaps made in buffer. */
const char *call_own_name(const char *name, int index, char *buffer, size_t size);

/* call_value reads a number, or the object of that name; 0, or -1 for neither. */
int call_value(const char *text, int index, uint64_t *value);

/* call_number reads 12, 0x1f, 5ms, 4k; in nanoseconds or bytes. */
int call_number(const char *text, uint64_t *value);

/* call_results names what a call that returned code gave. */
void call_results(const struct call *call, int code, int index);

static inline int call_invoke(void *address, const struct call *call)
{
	typedef int fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
		       uint64_t, uint64_t, uint64_t);
	typedef int id_fn(uint64_t, uint64_t, ncclUniqueId, uint64_t, uint64_t);
	const uint64_t *s = call->slot;
	if (call->by_value != NULL)
		return ((id_fn *)address)(s[0], s[1], *call->by_value, s[2], s[3]);
	return ((fn *)address)(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11]);
}

#endif
