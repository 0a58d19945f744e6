// SPDX-License-Identifier: Apache-2.0
#include "kernels.h"

#include <stdint.h>
#include <string.h>

#include "fakecuda.h"

#define KERNELS(X)                                                                      \
	X(add, "_Z10add_kernelPfPKfS1_m")                                               \
	X(gemm, "_Z11gemm_kernelI6__halfLi128ELi128EEvPKT_S3_PS1_iii")                  \
	X(attention, "_ZN5flash20flash_fwd_kernelI6paramsEEv12Flash_params")            \
	X(rmsnorm, "_ZN4vllm15rms_norm_kernelIN3c104HalfEEEvPT_PKS3_S6_fii")            \
	X(rope, "_ZN4vllm23rotary_embedding_kernelIfLb1EEEvPKlPT_S4_PKS3_iillii")       \
	X(silu, "_ZN4vllm18act_and_mul_kernelIfEEvPT_PKS1_i")                           \
	X(softmax, "_Z14softmax_kernelPfPKfi")                                          \
	X(sample, "_Z13sample_kernelPlPKfi")                                            \
	X(cache, "_ZN4vllm24reshape_and_cache_kernelEPKfS1_PfS2_PKl")                   \
	X(prefill, "_Z14prefill_kernelPKfPfi")                                          \
	X(cold, "_Z11cold_kernelPfi")

#define X(name, mangled)                                          \
	void stub_##name(void) __asm__(mangled);                  \
	__attribute__((noinline)) void stub_##name(void) { __asm__ volatile(""); }
KERNELS(X)
#undef X

const struct kernel kernels[] = {
#define X(name, mangled) {#name, mangled, (const void *)stub_##name},
	KERNELS(X)
#undef X
};
const size_t kernels_count = sizeof kernels / sizeof kernels[0];

/* A fat binary's header (magic, version, header size, body size) and an empty body. */
static const struct {
	uint32_t magic;
	uint16_t version, header_size;
	uint64_t body_size;
	unsigned char body[112];
} image __attribute__((section(".nv_fatbin"), aligned(8), used)) = {0xba55ed50, 1, 16, 112, {0}};

static const struct {
	int magic, version;
	const void *image;
	void *unused;
} wrapper __attribute__((section(".nvFatBinSegment"), aligned(8), used)) = {0x466243b1, 1, &image, NULL};

const void *const kernels_image = &image;

const struct kernel *kernel_named(const char *name)
{
	for (size_t i = 0; i < kernels_count; i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}

void kernels_register(__typeof__(&__cudaRegisterFatBinary) binary_of, __typeof__(&__cudaRegisterFunction) function)
{
	void **binary = binary_of((void *)(uintptr_t)&wrapper);
	for (size_t i = 0; i < kernels_count; i++)
		function(binary, kernels[i].stub, (char *)(uintptr_t)kernels[i].mangled, kernels[i].mangled, -1, NULL, NULL,
			 NULL, NULL, NULL);
}

__attribute__((constructor)) static void register_kernels(void)
{
	if (FC_LINKED(__cudaRegisterFatBinary))
		kernels_register(__cudaRegisterFatBinary, __cudaRegisterFunction);
}
