// SPDX-License-Identifier: Apache-2.0
//
// What a library that NCCL is linked into, such as libtorch_cuda, adds to it.
#include <string.h>

#include "fakenccl.h"

static const struct {
	const char *name;
	void *function;
} functions[] = {
#define ROW(name, kind) {#name, (void *)name},
#include "nccl.def"
#undef ROW
};

void *faketorch_function(const char *name)
{
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (strcmp(functions[i].name, name) == 0)
			return functions[i].function;
	return NULL;
}
