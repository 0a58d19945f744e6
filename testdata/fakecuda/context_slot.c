// SPDX-License-Identifier: Apache-2.0
//
// A library in which threads keep their thread context (OTEP 4947), as a tracing
// library does. The Makefile builds it for each way to get at thread-local
// storage; with OWN it gets at its variable by a name that nobody else sees, with
// SIZE its storage is that many words large.
#define EXPORTED __attribute__((visibility("default")))

#ifndef SIZE
#define SIZE 1
#endif

EXPORTED __thread unsigned long context_uses[SIZE] = {1};
EXPORTED __thread void *otel_thread_ctx_v1;

#ifdef OWN
extern __thread void *own_ctx __attribute__((alias("otel_thread_ctx_v1"), visibility("hidden")));
#else
#define own_ctx otel_thread_ctx_v1
#endif

EXPORTED void **context_slot(void)
{
	context_uses[SIZE - 1]++;
	return &own_ctx;
}
