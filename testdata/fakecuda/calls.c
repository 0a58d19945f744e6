// SPDX-License-Identifier: Apache-2.0
//
// Types of parameter in calls.def:
//   I  number or object                     S  CUDA stream: number or object
//   D  dim3 by value, "4,1,1"               3  three unsigned ints, "4,1,1"
//   K  host stub of a kernel                R  its cudaKernel_t
//   F  its CUfunction, loaded on first use  A  kernel arguments: ns=DURATION
//   C  cudaLaunchConfig_t *                 X  CUlaunchConfig *  (grid block smem stream)
//   M  cudaMemcpyKind: h2h h2d d2h d2d default, or a number
//   P  memory: number or object             2  CUDA_MEMCPY2D * (width height)
//   O  out parameter: out=OBJECT            Z  out parameter, ignored
//   G  module image, load=DURATION          T  text; a kernel's name becomes the mangled one
//   V  host function that does nothing
//   U  ncclUniqueId by value, by name       Q  ncclUniqueId *: names, "a,b"
//   W  ncclUniqueId *, to name: out=NAME    N  ncclConfig_t *: NULL unless blocking=
//   Y  ncclDataType_t: f32 bf16 ...         J  ncclRedOp_t: sum prod max min avg
//   E  ranks "1,3" and how many             L  ndev communicators: out=NAME, as NAME0 ...
//   H  communicator: out=NAME; may be given or taken away until the group ends
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_nccl.h"
#include "kernels.h"
#include "objects.h"

const struct call_row call_rows[] = {
#define CALL(function, shape) {#function, (void *)function, shape},
#include "calls.def"
#undef CALL
};
const int call_rows_count = sizeof call_rows / sizeof call_rows[0];
_Static_assert(sizeof call_rows / sizeof call_rows[0] <= CALL_ROWS, "CALL_ROWS");

int call_row(const char *function)
{
	for (int i = 0; i < call_rows_count; i++)
		if (strcmp(call_rows[i].function, function) == 0)
			return i;
	return -1;
}

int call_number(const char *text, uint64_t *value)
{
	static const struct {
		const char *suffix;
		double factor;
	} units[] = {{"", 1}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"k", 1024}, {"m", 1 << 20}, {"g", 1 << 30}};
	char *end;
	uint64_t whole = strtoull(text, &end, 0);
	double fraction = 0;
	if (end == text)
		return -1;
	if (*end == '.')
		fraction = strtod(end, &end);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(end, units[i].suffix) == 0) {
			*value = i == 0 && fraction == 0 ? whole : (uint64_t)(((double)whole + fraction) * units[i].factor);
			return 0;
		}
	return -1;
}

static const char *word(char *const *words, const char *key, size_t n)
{
	for (; *words != NULL; words++)
		if (strncmp(*words, key, n) == 0 && (*words)[n] == '=')
			return *words + n + 1;
	return NULL;
}

const char *call_word(char *const *words, const char *key) { return word(words, key, strlen(key)); }

const char *call_own_name(const char *name, int index, char *buffer, size_t size)
{
	const char *at = strchr(name, '@');
	if (at == NULL)
		return name;
	snprintf(buffer, size, "%.*s%d%s", (int)(at - name), name, index, at + 1);
	return buffer;
}

int call_value(const char *text, int index, uint64_t *value)
{
	char buffer[64];
	const char *own = call_own_name(text, index, buffer, sizeof buffer);
	return call_number(own, value) == 0 || object_find(own, value) ? 0 : -1;
}

static int copy_kind(const char *text, uint64_t *value)
{
	static const char *const names[] = {"h2h", "h2d", "d2h", "d2d", "default"};
	for (uint64_t i = 0; i < 5; i++)
		if (strcmp(text, names[i]) == 0) {
			*value = i;
			return 0;
		}
	return call_number(text, value);
}

static int dimensions(const char *text, dim3 *d)
{
	*d = (dim3){1, 1, 1};
	return text == NULL || sscanf(text, "%u,%u,%u", &d->x, &d->y, &d->z) >= 1 ? 0 : -1;
}

/* The CUfunction of a kernel, loaded once per process through the driver. */
static uint64_t driver_function(const struct kernel *kernel)
{
	char name[64];
	uint64_t value;
	CUmodule module;
	CUfunction f;
	snprintf(name, sizeof name, "CUfunction %s", kernel->name);
	if (object_find(name, &value))
		return value;
	if (!FC_LINKED(cuModuleLoadData))
		return 0;
	if (cuModuleLoadData(&module, kernels_image) != CUDA_SUCCESS ||
	    cuModuleGetFunction(&f, module, kernel->mangled) != CUDA_SUCCESS)
		return 0;
	object_set(name, (uint64_t)(uintptr_t)f);
	return (uint64_t)(uintptr_t)f;
}

static uint64_t runtime_kernel(const struct kernel *kernel)
{
	char name[64];
	uint64_t value;
	cudaKernel_t k;
	snprintf(name, sizeof name, "cudaKernel_t %s", kernel->name);
	if (object_find(name, &value))
		return value;
	if (!FC_LINKED(__cudaGetKernel))
		return 0;
	if (__cudaGetKernel(&k, kernel->stub) != cudaSuccess)
		return 0;
	object_set(name, (uint64_t)(uintptr_t)k);
	return (uint64_t)(uintptr_t)k;
}

static int launched(char type, const char *text, int index, uint64_t *value)
{
	const struct kernel *kernel = text == NULL ? &kernels[0] : kernel_named(text);
	if (kernel == NULL)
		return call_value(text, index, value);
	*value = type == 'K' ? (uint64_t)(uintptr_t)kernel->stub : type == 'F' ? driver_function(kernel) : runtime_kernel(kernel);
	return 0;
}

static int configurations(struct call *call, char *const *words, int index)
{
	const char *smem = word(words, "smem", 4), *stream = word(words, "stream", 6);
	dim3 grid, block;
	uint64_t bytes = 0, handle = 0;
	if (dimensions(word(words, "grid", 4), &grid) != 0 || dimensions(word(words, "block", 5), &block) != 0 ||
	    (smem != NULL && call_number(smem, &bytes) != 0) ||
	    (stream != NULL && call_value(stream, index, &handle) != 0))
		return -1;
	call->runtime_config = (cudaLaunchConfig_t){grid, block, bytes, (CUstream)(uintptr_t)handle, NULL, 0};
	call->driver_config = (CUlaunchConfig){grid.x, grid.y, grid.z, block.x, block.y, block.z, (unsigned)bytes,
					       (CUstream)(uintptr_t)handle, NULL, 0};
	return 0;
}

static int rectangle(struct call *call, char *const *words)
{
	const char *width = word(words, "width", 5), *height = word(words, "height", 6);
	uint64_t w = 0, h = 0;
	if ((width != NULL && call_number(width, &w) != 0) || (height != NULL && call_number(height, &h) != 0))
		return -1;
	call->rectangle = (CUDA_MEMCPY2D){.WidthInBytes = w, .Height = h, .srcPitch = w, .dstPitch = w};
	return 0;
}

static void nothing(void *unused) { (void)unused; }

/* Fills the slots of one parameter from *slot on; -1 when the text is wrong. */
static int parameter(struct call *call, char *const *words, int index, const char *key, size_t n, char type, int *slot)
{
	const char *text = word(words, key, n);
	if (call_nccl_type(type))
		return call_nccl_parameter(call, words, &(struct call_text){text, index, type}, slot);
	uint64_t *value = &call->slot[(*slot)++];
	dim3 d;
	switch (type) {
	case 'K':
	case 'F':
	case 'R':
		return launched(type, text, index, value);
	case 'D':
		(*slot)++;
		if (dimensions(text, &d) != 0)
			return -1;
		value[0] = (uint64_t)d.y << 32 | d.x;
		value[1] = d.z;
		return 0;
	case '3':
		*slot += 2;
		if (dimensions(text, &d) != 0)
			return -1;
		value[0] = d.x, value[1] = d.y, value[2] = d.z;
		return 0;
	case 'A':
		call->params[0] = &call->ns;
		*value = (uint64_t)(uintptr_t)call->params;
		text = word(words, "ns", 2);
		return text == NULL ? 0 : call_value(text, index, &call->ns);
	case 'C':
		*value = (uint64_t)(uintptr_t)&call->runtime_config;
		return configurations(call, words, index);
	case 'X':
		*value = (uint64_t)(uintptr_t)&call->driver_config;
		return configurations(call, words, index);
	case '2':
		*value = (uint64_t)(uintptr_t)&call->rectangle;
		return rectangle(call, words);
	case 'O':
		*value = (uint64_t)(uintptr_t)&call->out;
		call->out_name = text;
		return 0;
	case 'Z':
		*value = (uint64_t)(uintptr_t)&call->scratch[*slot % 4];
		return 0;
	case 'V':
		*value = (uint64_t)(uintptr_t)nothing;
		return 0;
	case 'T':
		*value = (uint64_t)(uintptr_t)(text != NULL && kernel_named(text) != NULL ? kernel_named(text)->mangled : text);
		return 0;
	case 'G':
		*value = (uint64_t)(uintptr_t)kernels_image;
		text = word(words, "load", 4);
		if (text == NULL)
			return 0;
		call->image.magic = FAKECUDA_IMAGE_MAGIC;
		*value = (uint64_t)(uintptr_t)&call->image;
		return call_value(text, index, &call->image.load_ns);
	case 'M':
		return text == NULL ? 0 : copy_kind(text, value);
	default:
		return text == NULL ? 0 : call_value(text, index, value);
	}
}

const char *call_prepare(struct call *call, char *const *words, int index)
{
	int slot = 0;
	const struct call_row *row = call->row;
	memset(call, 0, sizeof *call);
	call->row = row;
	for (const char *key = row->shape; *key != '\0';) {
		size_t n = strcspn(key, ":");
		if (parameter(call, words, index, key, n, key[n + 1], &slot) != 0)
			return key;
		key += n + 2;
		key += strspn(key, " ");
	}
	return NULL;
}

void call_results(const struct call *call, int code, int index)
{
	char name[64];
	if (code != 0)
		return;
	if (call->id_name != NULL)
		id_set(call_own_name(call->id_name, index, name, sizeof name), &call->ids[0]);
	if (call->out_name != NULL)
		object_set(call_own_name(call->out_name, index, name, sizeof name), call->out);
	call_nccl_results(call, index);
}
