// SPDX-License-Identifier: Apache-2.0
//
// Statements by which a process publishes to observers who it is (OTEP 4719,
// process context) and which span each of its threads is in (OTEP 4947, thread
// context), or publishes nonsense.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "run.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE 4096
#define PAYLOAD_ROOM (64 << 10)

/* Thread contexts. */

struct thread_context {
	uint8_t trace_id[16], span_id[8], valid, flags;
	uint16_t attributes_size;
} __attribute__((packed));
_Static_assert(sizeof(struct thread_context) == 28, "thread_context");

/* Returns where the calling thread keeps the pointer to its context. */
typedef void **context_slot_function(void);

#ifdef CONTEXT_IN_PROGRAM
__attribute__((visibility("default"))) __thread void *otel_thread_ctx_v1;
static void **own_slot(void) { return &otel_thread_ctx_v1; }
static context_slot_function *slot_function = own_slot;
#else
static context_slot_function *slot_function;
#endif

static __thread struct thread_context own_context;

static void **slot(const struct node *node)
{
	if (slot_function == NULL)
		script_fail(node, "no context-library named yet");
	return slot_function();
}

static void do_context_library(struct actor *actor, const struct node *node)
{
	(void)actor;
	void *library = dlopen(node->argv[1], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		script_fail(node, dlerror());
	slot_function = (context_slot_function *)dlsym(library, "context_slot");
	if (slot_function == NULL)
		script_fail(node, dlerror());
}

/* Reads hexadecimal digits, of which '@' is the thread's index. */
static void read_id(const struct actor *actor, const struct node *node, const char *text, uint8_t *id, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char digits[3] = {0}, *end;
		for (size_t d = 0; d < 2 && text[2 * i] != '\0'; d++)
			digits[d] = text[2 * i + d] == '@' ? "0123456789abcdef"[actor->index & 15] : text[2 * i + d];
		id[i] = (uint8_t)strtoul(digits, &end, 16);
		if (end != digits + 2)
			script_fail(node, "an id has 32 hexadecimal digits, a span's 16");
	}
	if (text[2 * size] != '\0')
		script_fail(node, "an id has 32 hexadecimal digits, a span's 16");
}

static void do_span(struct actor *actor, const struct node *node)
{
	void **own = slot(node);
	*own = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	own_context.valid = (uint8_t)run_number(node, run_word(node, "valid", "1"));
	own_context.flags = (uint8_t)run_number(node, run_word(node, "flags", "1"));
	read_id(actor, node, node->argv[1], own_context.trace_id, sizeof own_context.trace_id);
	read_id(actor, node, node->argv[2], own_context.span_id, sizeof own_context.span_id);
	atomic_signal_fence(memory_order_seq_cst);
	*own = &own_context;
}

static void do_span_end(struct actor *actor, const struct node *node)
{
	(void)actor;
	if (run_flag(node, "in-place"))
		own_context.valid = 0;
	else
		*slot(node) = NULL;
}

static void do_context_at(struct actor *actor, const struct node *node)
{
	(void)actor;
	*slot(node) = (void *)(uintptr_t)run_number(node, node->argv[1]);
}

/* Tells where the thread keeps the pointer to its context, and its thread pointer. */
static void do_context_place(struct actor *actor, const struct node *node)
{
	(void)actor;
	printf("%#llx %#llx\n", (unsigned long long)(uintptr_t)slot(node), (unsigned long long)(uintptr_t)__builtin_thread_pointer());
	fflush(stdout);
}

/* Process contexts. */

struct header {
	char signature[8];
	uint32_t version, payload_size;
	_Atomic uint64_t published_at_ns;
	uint64_t payload;
};
_Static_assert(sizeof(struct header) == 32, "header");

/* What grows at its end; it must not outgrow PAYLOAD_ROOM. */
struct buffer {
	size_t size;
	uint8_t bytes[PAYLOAD_ROOM];
};

static void put(struct buffer *to, const void *bytes, size_t size)
{
	if (size > sizeof to->bytes - to->size)
		exit(2);
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void put_varint(struct buffer *to, uint64_t value)
{
	do {
		uint8_t byte = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		put(to, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

/* A field of bytes: a string or a message. */
static void put_bytes(struct buffer *to, unsigned field, const void *bytes, size_t size)
{
	put_varint(to, field << 3 | 2);
	put_varint(to, size);
	put(to, bytes, size);
}

/* KeyValue{key = 1, value = 2: AnyValue{string_value = 1}} in a field. */
static void put_attribute(struct buffer *to, unsigned field, const char *word)
{
	static struct buffer value, pair;
	const char *equals = strchr(word, '=');
	value.size = pair.size = 0;
	put_bytes(&value, 1, equals + 1, strlen(equals + 1));
	put_bytes(&pair, 1, word, (size_t)(equals - word));
	put_bytes(&pair, 2, value.bytes, value.size);
	put_bytes(to, field, pair.bytes, pair.size);
}

static bool is_setting(const char *word)
{
	static const char *const settings[] = {"size=", "payload=", "version=", "signature="};
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
		if (strncmp(word, settings[i], strlen(settings[i])) == 0)
			return true;
	return strchr(word, '=') == NULL;
}

/* ProcessContext{resource = 1: Resource{attributes = 1}, attributes = 2: the words that begin with '+'}. */
static struct buffer *encode(const struct node *node)
{
	static struct buffer resource;
	struct buffer *payload = calloc(1, sizeof *payload);
	resource.size = 0;
	for (int i = 1; i < node->argc; i++)
		if (!is_setting(node->argv[i]) && node->argv[i][0] != '+')
			put_attribute(&resource, 1, node->argv[i]);
	put_bytes(payload, 1, resource.bytes, resource.size);
	for (int i = 1; i < node->argc; i++)
		if (!is_setting(node->argv[i]) && node->argv[i][0] == '+')
			put_attribute(payload, 2, node->argv[i] + 1);
	return payload;
}

static struct header *map_header(const struct node *node)
{
	int fd = run_flag(node, "anonymous") ? -1 : memfd_create("OTEL_CTX", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
	if (fd >= 0 && ftruncate(fd, PAGE) != 0)
		script_fail(node, strerror(errno));
	struct header *header = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (header == MAP_FAILED || madvise(header, PAGE, MADV_DONTFORK) != 0)
		script_fail(node, strerror(errno));
	if (fd >= 0)
		close(fd);
	return header;
}

static uint64_t boot_time(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Publishes, the second time updates. What was published before is not freed: a reader may be at it. */
static void do_process_context(struct actor *actor, const struct node *node)
{
	static struct header *header;
	struct buffer *payload = encode(node);
	const char *size = run_word(node, "size", NULL), *at = run_word(node, "payload", NULL);
	(void)actor;
	if (header == NULL)
		header = map_header(node);
	header->published_at_ns = 0;
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(header->signature, run_word(node, "signature", "OTEL_CTX"), sizeof header->signature);
	header->version = (uint32_t)run_number(node, run_word(node, "version", "2"));
	header->payload_size = size != NULL ? (uint32_t)run_number(node, size) : (uint32_t)payload->size;
	header->payload = at != NULL ? run_number(node, at) : (uintptr_t)payload->bytes;
	atomic_thread_fence(memory_order_seq_cst);
	if (!run_flag(node, "updating"))
		header->published_at_ns = boot_time();
	if (!run_flag(node, "unnamed"))
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, header, PAGE, "OTEL_CTX");
}

const struct statement context_statements[] = {
	{"context-library", 1, do_context_library},
	{"span", 2, do_span},
	{"span-end", 0, do_span_end},
	{"context-at", 1, do_context_at},
	{"context-place", 0, do_context_place},
	{"process-context", 0, do_process_context},
	{NULL, 0, NULL},
};
