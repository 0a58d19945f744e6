// SPDX-License-Identifier: Apache-2.0
//
// libcuda: modules, libraries, functions. A handle is never freed, so that a
// function handle can be checked by walking what was given out.
#include "driver.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FC_FUNCTIONS 65536

struct CUmod_st {
	uint64_t load_ns;
};

struct CUlib_st {
	struct CUmod_st module;
};

/* Functions and kernels are the same objects here. */
struct CUfunc_st {
	char *name;
};

static struct CUfunc_st functions[FC_FUNCTIONS];
static _Atomic unsigned functions_used;

bool fc_function_valid(CUfunction f)
{
	uintptr_t from = (uintptr_t)functions, at = (uintptr_t)f;
	return at >= from && at < from + atomic_load_explicit(&functions_used, memory_order_acquire) * sizeof *functions &&
	       (at - from) % sizeof *functions == 0;
}

static CUresult new_function(CUfunction *f, const void *module, const char *name)
{
	if (f == NULL || module == NULL || name == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	unsigned i = atomic_load(&functions_used);
	if (i >= FC_FUNCTIONS)
		return CUDA_ERROR_OUT_OF_MEMORY;
	i = atomic_fetch_add(&functions_used, 1);
	functions[i].name = strdup(name);
	*f = &functions[i];
	return CUDA_SUCCESS;
}

static uint64_t load_time(const void *image)
{
	const struct fakecuda_image *known = image;
	return known->magic == FAKECUDA_IMAGE_MAGIC ? known->load_ns : fc_settings.module_load_ns;
}

static CUresult load_image(CUmodule *module, const void *image)
{
	if (module == NULL || image == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*module = malloc(sizeof **module);
	if (*module == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	(*module)->load_ns = load_time(image);
	fc_burn((*module)->load_ns);
	return CUDA_SUCCESS;
}

DRV(cuModuleLoadData, (CUmodule *module, const void *image), return load_image(module, image);)
DRV(cuModuleLoadDataEx,
	(CUmodule *module, const void *image, unsigned int numOptions, int *options, void **values),
	(void)numOptions; (void)options; (void)values;
	return load_image(module, image);)

static CUresult read_all(const char *path)
{
	char buffer[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return CUDA_ERROR_FILE_NOT_FOUND;
	while (read(fd, buffer, sizeof buffer) > 0)
		;
	close(fd);
	return CUDA_SUCCESS;
}

DRV(cuModuleLoad, (CUmodule *module, const char *fname),
	if (module == NULL || fname == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	CUresult result = read_all(fname);
	const struct fakecuda_image image = {FAKECUDA_IMAGE_MAGIC, fc_settings.module_load_ns};
	return result != CUDA_SUCCESS ? result : load_image(module, &image);)

DRV(cuModuleUnload, (CUmodule hmod), free(hmod); return CUDA_SUCCESS;)

DRV(cuModuleGetFunction, (CUfunction *hfunc, CUmodule hmod, const char *name),
	return new_function(hfunc, hmod, name);)

DRV(cuLibraryLoadData,
	(CUlibrary *library, const void *code, int *jitOptions, void **jitValues, unsigned int nJit, int *libOptions,
		void **libValues, unsigned int nLib),
	(void)jitOptions; (void)jitValues; (void)nJit; (void)libOptions; (void)libValues; (void)nLib;
	if (library == NULL || code == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*library = calloc(1, sizeof **library);
	if (*library == NULL)
		return CUDA_ERROR_OUT_OF_MEMORY;
	fc_burn((*library)->module.load_ns = load_time(code));
	return CUDA_SUCCESS;)

DRV(cuLibraryGetKernel, (CUkernel *pKernel, CUlibrary library, const char *name),
	return new_function((CUfunction *)(void *)pKernel, library, name);)
DRV(cuLibraryGetModule, (CUmodule *pMod, CUlibrary library),
	if (pMod == NULL || library == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	*pMod = &library->module;
	return CUDA_SUCCESS;)
DRV(cuLibraryUnload, (CUlibrary library), free(library); return CUDA_SUCCESS;)

DRV(cuKernelGetFunction, (CUfunction *pFunc, CUkernel kernel),
	if (pFunc == NULL || !fc_function_valid((CUfunction)(void *)kernel))
		return CUDA_ERROR_INVALID_HANDLE;
	*pFunc = (CUfunction)(void *)kernel;
	return CUDA_SUCCESS;)
