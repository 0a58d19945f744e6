/* SPDX-License-Identifier: Apache-2.0
 *
 * caller LIBRARY...: calls entry points of the CUDA libraries at these paths,
 * the driver first, a known number of times with known arguments, and tells what
 * they returned. Made for machines without a GPU, where every call ends early;
 * it hides GPUs from the libraries, as they would not survive these arguments.
 *
 * It prints "ready", waits for a line on standard input, makes the calls and prints
 * for each function that the libraries export
 *
 *	call SYMBOL COUNT SLOT... = RESULT...
 *
 * with the argument slots of internal/probe in hexadecimal and as many results
 * as calls, and for each function that cuGetProcAddress resolves
 *
 *	resolved SYMBOL exported|other|none
 *
 * The declarations are ours; no header of NVIDIA's is needed.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint64_t u64;
typedef void *handle;

struct dim3 {
	unsigned x, y, z;
};

/* cudaLaunchConfig_t (driver_types.h) */
struct runtime_config {
	struct dim3 grid, block;
	size_t shared_memory;
	handle stream, attributes;
	unsigned attributes_count;
};

/* CUlaunchConfig (cuda.h) */
struct driver_config {
	unsigned grid[3], block[3], shared_memory;
	handle stream, attributes;
	unsigned attributes_count;
};

enum { max_libraries = 8, max_slots = 12 };

static void *libraries[max_libraries];
static int libraries_count;

static void *find(const char *symbol)
{
	for (int i = 0; i < libraries_count; i++) {
		void *function = dlsym(libraries[i], symbol);
		if (function)
			return function;
	}
	return NULL;
}

static void tell(const char *symbol, int count, const u64 *slots, int slots_count)
{
	printf("call %s %d", symbol, count);
	for (int i = 0; i < slots_count; i++)
		printf(" %" PRIx64, slots[i]);
	printf(" =");
	fflush(stdout);
}

/* CALL makes count calls of an exported function; slots is the list of its arguments by slot. */
#define CALL(count, symbol, types, arguments, ...)                                        \
	do {                                                                              \
		int(*function) types = (int(*) types)find(symbol);                        \
		const u64 slots[] = {__VA_ARGS__};                                        \
		if (!function)                                                            \
			break;                                                            \
		tell(symbol, count, slots + 1, (int)(sizeof(slots) / sizeof(*slots)) - 1); \
		for (int i = 0; i < (count); i++)                                         \
			printf(" %d", function arguments);                                \
		printf("\n");                                                             \
	} while (0)
#define NO_SLOTS 0 /* the first element: an empty list of slots is not C */
#define P(value) ((handle)(uintptr_t)(value))

static struct driver_config driver_config = {{8, 9, 10}, {64, 2, 3}, 512, P(0x5eed0101), NULL, 0};
static struct runtime_config runtime_config = {{11, 12, 13}, {96, 4, 5}, 640, P(0x5eed0201), NULL, 0};
static u64 out;

static void call_driver(void)
{
	const u64 config = (u64)(uintptr_t)&driver_config, result = (u64)(uintptr_t)&out;
	CALL(1, "cuInit", (unsigned), (0), NO_SLOTS, 0);
	CALL(23, "cuLaunchKernel",
	     (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, handle *, handle *),
	     (P(0x5eed0001), 3, 5, 7, 32, 11, 2, 96, P(0x5eed0002), P(0x5eed0003), P(0x5eed0004)), NO_SLOTS,
	     0x5eed0001, 3, 5, 7, 32, 11, 2, 96, 0x5eed0002);
	CALL(3, "cuLaunchKernel_ptsz",
	     (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, handle *, handle *),
	     (P(0x5eed0011), 4, 6, 8, 33, 12, 3, 97, P(0x5eed0012), P(0x5eed0013), P(0x5eed0014)), NO_SLOTS,
	     0x5eed0011, 4, 6, 8, 33, 12, 3, 97, 0x5eed0012);
	CALL(17, "cuLaunchKernelEx", (const struct driver_config *, handle, handle *, handle *),
	     (&driver_config, P(0x5eed0021), P(0x5eed0022), P(0x5eed0023)), NO_SLOTS, config, 0x5eed0021, 0, 0, 0, 0,
	     (u64)9 << 32 | 8, (u64)64 << 32 | 10, (u64)3 << 32 | 2, 512, 0x5eed0101);
	CALL(19, "cuStreamSynchronize", (handle), (P(0x5eed0031)), NO_SLOTS, 0x5eed0031);
	CALL(5, "cuCtxSynchronize", (void), (), NO_SLOTS);
	CALL(7, "cuEventSynchronize", (handle), (P(0x5eed0041)), NO_SLOTS, 0x5eed0041);
	CALL(11, "cuEventRecord", (handle, handle), (P(0x5eed0051), P(0x5eed0052)), NO_SLOTS, 0x5eed0051, 0x5eed0052);
	CALL(13, "cuMemcpyHtoDAsync_v2", (u64, const void *, size_t, handle),
	     (0x5eed0061, P(0x5eed0062), 1009, P(0x5eed0063)), NO_SLOTS, 0x5eed0061, 0x5eed0062, 1009, 0x5eed0063);
	CALL(29, "cuMemcpyPeerAsync", (u64, handle, u64, handle, size_t, handle),
	     (0x5eed0071, P(0x5eed0072), 0x5eed0073, P(0x5eed0074), 2003, P(0x5eed0075)), NO_SLOTS, 0x5eed0071,
	     0x5eed0072, 0x5eed0073, 0x5eed0074, 2003, 0x5eed0075);
	CALL(31, "cuMemAlloc_v2", (u64 *, size_t), (&out, 4099), NO_SLOTS, result, 4099);
	CALL(2, "cuMemFree_v2", (u64), (0x5eed0081), NO_SLOTS, 0x5eed0081);
}

static void call_runtime(void)
{
	const u64 config = (u64)(uintptr_t)&runtime_config, result = (u64)(uintptr_t)&out;
	const struct dim3 grid = {14, 15, 16}, block = {128, 6, 7};
	CALL(37, "cudaLaunchKernel", (const void *, struct dim3, struct dim3, handle *, size_t, handle),
	     (P(0x5eed1001), grid, block, P(0x5eed1002), 704, P(0x5eed1003)), NO_SLOTS, 0x5eed1001, (u64)15 << 32 | 14,
	     16, (u64)6 << 32 | 128, 7, 0x5eed1002, 704, 0x5eed1003);
	CALL(3, "cudaLaunchKernel_ptsz", (const void *, struct dim3, struct dim3, handle *, size_t, handle),
	     (P(0x5eed1011), block, grid, P(0x5eed1012), 705, P(0x5eed1013)), NO_SLOTS, 0x5eed1011, (u64)6 << 32 | 128,
	     7, (u64)15 << 32 | 14, 16, 0x5eed1012, 705, 0x5eed1013);
	CALL(5, "cudaLaunchKernelExC", (const struct runtime_config *, const void *, handle *),
	     (&runtime_config, P(0x5eed1021), P(0x5eed1022)), NO_SLOTS, config, 0x5eed1021, 0, 0, 0, 0,
	     (u64)12 << 32 | 11, (u64)96 << 32 | 13, (u64)5 << 32 | 4, 640, 0x5eed0201);
	CALL(41, "cudaStreamSynchronize", (handle), (P(0x5eed1031)), NO_SLOTS, 0x5eed1031);
	CALL(7, "cudaDeviceSynchronize", (void), (), NO_SLOTS);
	CALL(11, "cudaEventRecord", (handle, handle), (P(0x5eed1041), P(0x5eed1042)), NO_SLOTS, 0x5eed1041, 0x5eed1042);
	CALL(13, "cudaMemcpy", (void *, const void *, size_t, int), (P(0x5eed1051), P(0x5eed1052), 3001, 1), NO_SLOTS,
	     0x5eed1051, 0x5eed1052, 3001, 1);
	CALL(17, "cudaMemcpyAsync", (void *, const void *, size_t, int, handle),
	     (P(0x5eed1061), P(0x5eed1062), 3011, 2, P(0x5eed1063)), NO_SLOTS, 0x5eed1061, 0x5eed1062, 3011, 2, 0x5eed1063);
	CALL(2, "cudaMemcpy2DAsync", (void *, size_t, const void *, size_t, size_t, size_t, int, handle),
	     (P(0x5eed1071), 64, P(0x5eed1072), 65, 66, 67, 3, P(0x5eed1073)), NO_SLOTS, 0x5eed1071, 64, 0x5eed1072, 65,
	     66, 67, 3, 0x5eed1073);
	CALL(19, "cudaMemsetAsync", (void *, int, size_t, handle), (P(0x5eed1081), 8, 5003, P(0x5eed1082)), NO_SLOTS,
	     0x5eed1081, 8, 5003, 0x5eed1082);
	CALL(23, "cudaMalloc", (void **, size_t), ((void **)&out, 7001), NO_SLOTS, result, 7001);
	CALL(3, "cudaFree", (void *), (P(0x5eed1091)), NO_SLOTS, 0x5eed1091);
	CALL(29, "cudaSetDevice", (int), (77), NO_SLOTS, 77);
}

/* tell_resolved says whether cuGetProcAddress answers with the exported entry. */
static void tell_resolved(void)
{
	static const char *const symbols[] = {"cuLaunchKernel", "cuLaunchKernelEx", "cuStreamSynchronize",
					      "cuMemcpyHtoDAsync", "cuMemAlloc", "cuCtxSynchronize"};
	static const char *const exported[] = {"cuLaunchKernel", "cuLaunchKernelEx", "cuStreamSynchronize",
					       "cuMemcpyHtoDAsync_v2", "cuMemAlloc_v2", "cuCtxSynchronize"};
	int (*resolve)(const char *, void **, int, u64) = (int (*)(const char *, void **, int, u64))find("cuGetProcAddress");
	for (size_t i = 0; resolve && i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *function = NULL;
		int result = resolve(symbols[i], &function, 11060, 0);
		const char *what = !function ? "none" : function == find(exported[i]) ? "exported" : "other";
		printf("resolved %s %s %d\n", symbols[i], what, result);
	}
}

int main(int argc, char **argv)
{
	setenv("CUDA_VISIBLE_DEVICES", "", 1);
	for (int i = 1; i < argc && i <= max_libraries; i++) {
		libraries[libraries_count] = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
		if (!libraries[libraries_count++]) {
			fprintf(stderr, "opening %s: %s\n", argv[i], dlerror());
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	if (getchar() == EOF)
		return 1;
	call_driver();
	call_runtime();
	tell_resolved();
	return 0;
}
