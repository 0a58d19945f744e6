/* SPDX-License-Identifier: Apache-2.0
 *
 * The device code of the programs: host stubs with C++ names, an image in
 * .nv_fatbin, registered with the runtime before main() as nvcc's code does.
 */
#ifndef FAKECUDA_KERNELS_H
#define FAKECUDA_KERNELS_H

#include "fakecuda.h"

struct kernel {
	const char *name;    /* in scripts, for example "gemm" */
	const char *mangled; /* as the module has it */
	const void *stub;    /* what cudaLaunchKernel gets */
};

extern const struct kernel kernels[];
extern const size_t kernels_count;
extern const void *const kernels_image;

/* kernels_register registers the device code with a runtime that was opened late. */
void kernels_register(__typeof__(&__cudaRegisterFatBinary) binary_of, __typeof__(&__cudaRegisterFunction) function);

/* kernel_named returns NULL for an unknown name. */
const struct kernel *kernel_named(const char *name);

#endif
