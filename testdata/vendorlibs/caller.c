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

/* Each handle is an address of its own, where libraries that look into it find zeros. */
static char zeros[1 << 20];
#define H(value) ((handle)(zeros + (value) * 128))
#define N(value) ((u64)(uintptr_t)H(value))

static struct driver_config driver_config = {{8, 9, 10}, {64, 2, 3}, 512, H(0x101), NULL, 0};
static struct runtime_config runtime_config = {{11, 12, 13}, {96, 4, 5}, 640, H(0x201), NULL, 0};
static u64 out;

static void call_driver(void)
{
	const u64 config = (u64)(uintptr_t)&driver_config, result = (u64)(uintptr_t)&out;
	CALL(1, "cuInit", (unsigned), (0), NO_SLOTS, 0);
	CALL(23, "cuLaunchKernel",
	     (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, handle *, handle *),
	     (H(0x001), 3, 5, 7, 32, 11, 2, 96, H(0x002), H(0x003), H(0x004)), NO_SLOTS,
	     N(0x001), 3, 5, 7, 32, 11, 2, 96, N(0x002));
	CALL(3, "cuLaunchKernel_ptsz",
	     (handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, handle *, handle *),
	     (H(0x011), 4, 6, 8, 33, 12, 3, 97, H(0x012), H(0x013), H(0x014)), NO_SLOTS,
	     N(0x011), 4, 6, 8, 33, 12, 3, 97, N(0x012));
	CALL(17, "cuLaunchKernelEx", (const struct driver_config *, handle, handle *, handle *),
	     (&driver_config, H(0x021), H(0x022), H(0x023)), NO_SLOTS, config, N(0x021), 0, 0, 0, 0,
	     (u64)9 << 32 | 8, (u64)64 << 32 | 10, (u64)3 << 32 | 2, 512, N(0x101));
	CALL(19, "cuStreamSynchronize", (handle), (H(0x031)), NO_SLOTS, N(0x031));
	CALL(5, "cuCtxSynchronize", (void), (), NO_SLOTS);
	CALL(7, "cuEventSynchronize", (handle), (H(0x041)), NO_SLOTS, N(0x041));
	CALL(11, "cuEventRecord", (handle, handle), (H(0x051), H(0x052)), NO_SLOTS, N(0x051), N(0x052));
	CALL(13, "cuMemcpyHtoDAsync_v2", (u64, const void *, size_t, handle),
	     (N(0x061), H(0x062), 1009, H(0x063)), NO_SLOTS, N(0x061), N(0x062), 1009, N(0x063));
	CALL(29, "cuMemcpyPeerAsync", (u64, handle, u64, handle, size_t, handle),
	     (N(0x071), H(0x072), N(0x073), H(0x074), 2003, H(0x075)), NO_SLOTS, N(0x071),
	     N(0x072), N(0x073), N(0x074), 2003, N(0x075));
	CALL(31, "cuMemAlloc_v2", (u64 *, size_t), (&out, 4099), NO_SLOTS, result, 4099);
	CALL(2, "cuMemFree_v2", (u64), (N(0x081)), NO_SLOTS, N(0x081));
}

static void call_runtime(void)
{
	const u64 config = (u64)(uintptr_t)&runtime_config, result = (u64)(uintptr_t)&out;
	const struct dim3 grid = {14, 15, 16}, block = {128, 6, 7};
	CALL(37, "cudaLaunchKernel", (const void *, struct dim3, struct dim3, handle *, size_t, handle),
	     (H(0x001), grid, block, H(0x002), 704, H(0x003)), NO_SLOTS, N(0x001), (u64)15 << 32 | 14,
	     16, (u64)6 << 32 | 128, 7, N(0x002), 704, N(0x003));
	CALL(3, "cudaLaunchKernel_ptsz", (const void *, struct dim3, struct dim3, handle *, size_t, handle),
	     (H(0x011), block, grid, H(0x012), 705, H(0x013)), NO_SLOTS, N(0x011), (u64)6 << 32 | 128,
	     7, (u64)15 << 32 | 14, 16, N(0x012), 705, N(0x013));
	CALL(5, "cudaLaunchKernelExC", (const struct runtime_config *, const void *, handle *),
	     (&runtime_config, H(0x021), H(0x022)), NO_SLOTS, config, N(0x021), 0, 0, 0, 0,
	     (u64)12 << 32 | 11, (u64)96 << 32 | 13, (u64)5 << 32 | 4, 640, N(0x201));
	CALL(41, "cudaStreamSynchronize", (handle), (H(0x031)), NO_SLOTS, N(0x031));
	CALL(7, "cudaDeviceSynchronize", (void), (), NO_SLOTS);
	CALL(11, "cudaEventRecord", (handle, handle), (H(0x041), H(0x042)), NO_SLOTS, N(0x041), N(0x042));
	CALL(13, "cudaMemcpy", (void *, const void *, size_t, int), (H(0x051), H(0x052), 3001, 1), NO_SLOTS,
	     N(0x051), N(0x052), 3001, 1);
	CALL(17, "cudaMemcpyAsync", (void *, const void *, size_t, int, handle),
	     (H(0x061), H(0x062), 3011, 2, H(0x063)), NO_SLOTS, N(0x061), N(0x062), 3011, 2, N(0x063));
	CALL(2, "cudaMemcpy2DAsync", (void *, size_t, const void *, size_t, size_t, size_t, int, handle),
	     (H(0x071), 64, H(0x072), 65, 66, 67, 3, H(0x073)), NO_SLOTS, N(0x071), 64, N(0x072), 65,
	     66, 67, 3, N(0x073));
	CALL(19, "cudaMemsetAsync", (void *, int, size_t, handle), (H(0x081), 8, 5003, H(0x082)), NO_SLOTS,
	     N(0x081), 8, 5003, N(0x082));
	CALL(23, "cudaMalloc", (void **, size_t), ((void **)&out, 7001), NO_SLOTS, result, 7001);
	CALL(3, "cudaFree", (void *), (H(0x091)), NO_SLOTS, N(0x091));
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
