// SPDX-License-Identifier: Apache-2.0
//
// test-nccl-abi: where the arguments of libnccl's functions are when they are
// entered, how the functions begin, and what the communicator's memory holds.
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakenccl.h"

static void check(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "test_nccl_abi.c:%d: %s\n", line, what);
	exit(1);
}
#define CHECK(what) check(what, #what, __LINE__)
#define OK(call) check((call) == ncclSuccess, #call, __LINE__)

static ncclUniqueId sentinels(unsigned char from)
{
	ncclUniqueId id;
	for (size_t i = 0; i < sizeof id; i++)
		id.internal[i] = (char)(from + i);
	return id;
}

#if defined(__x86_64__)
/* A function that keeps what it was called with: the six argument registers and
 * the stack from the return address on. */
struct entry {
	uint64_t rdi, rsi, rdx, rcx, r8, r9;
	unsigned char stack[256];
} seen;
int keep_entry(void);
__asm__(".text\n.globl keep_entry\n.type keep_entry, @function\nkeep_entry:\n"
	"lea seen(%rip), %rax\n"
	"mov %rdi, 0(%rax)\nmov %rsi, 8(%rax)\nmov %rdx, 16(%rax)\nmov %rcx, 24(%rax)\nmov %r8, 32(%rax)\nmov %r9, 40(%rax)\n"
	"mov %rsp, %rsi\nlea 48(%rax), %rdi\nmov $32, %ecx\nrep movsq\n"
	"xor %eax, %eax\nret\n.size keep_entry, . - keep_entry\n");

static void *volatile keeper = (void *)keep_entry;
#define AS(name) ((__typeof__(&name))keeper)

static uint64_t on_stack(size_t at)
{
	uint64_t value;
	memcpy(&value, &seen.stack[at], sizeof value);
	return value;
}

/* What the compiler does with each prototype: the positions that a probe at the entry reads. */
static void positions(void)
{
	ncclUniqueId id = sentinels(0xa1);
	ncclComm_t comm = (ncclComm_t)0xc0ffee00c0ffee;
	cudaStream_t stream = (cudaStream_t)0x57aea857aea8;
	ncclConfig_t *config = (ncclConfig_t *)0xc0f1600c0f16;
	AS(ncclCommInitRank)((ncclComm_t *)0x1111, 0x2222, id, 0x3333);
	CHECK(seen.rdi == 0x1111 && (uint32_t)seen.rsi == 0x2222 && (uint32_t)seen.rdx == 0x3333);
	CHECK(memcmp(&seen.stack[8], &id, sizeof id) == 0);
	AS(ncclCommInitRankConfig)((ncclComm_t *)0x1112, 0x2223, id, 0x3334, config);
	CHECK(seen.rdi == 0x1112 && (uint32_t)seen.rsi == 0x2223 && (uint32_t)seen.rdx == 0x3334 && seen.rcx == (uintptr_t)config);
	CHECK(memcmp(&seen.stack[8], &id, sizeof id) == 0);
	AS(ncclCommInitRankScalable)((ncclComm_t *)1, 2, 3, 4, &id, config);
	CHECK((uint32_t)seen.rdx == 3 && (uint32_t)seen.rcx == 4 && seen.r8 == (uintptr_t)&id && seen.r9 == (uintptr_t)config);
	AS(ncclAllReduce)((void *)1, (void *)2, 3, 4, 5, comm, stream);
	CHECK(seen.rdx == 3 && (uint32_t)seen.rcx == 4 && (uint32_t)seen.r8 == 5 && seen.r9 == (uintptr_t)comm);
	CHECK(on_stack(8) == (uintptr_t)stream);
	AS(ncclReduce)((void *)1, (void *)2, 3, 4, 5, 6, comm, stream);
	CHECK((uint32_t)seen.r9 == 6 && on_stack(8) == (uintptr_t)comm && on_stack(16) == (uintptr_t)stream);
	AS(ncclBroadcast)((void *)1, (void *)2, 3, 4, 5, comm, stream);
	CHECK((uint32_t)seen.r8 == 5 && seen.r9 == (uintptr_t)comm && on_stack(8) == (uintptr_t)stream);
	AS(ncclBcast)((void *)1, 2, 3, 4, comm, stream);
	CHECK(seen.rsi == 2 && (uint32_t)seen.rdx == 3 && (uint32_t)seen.rcx == 4 && seen.r8 == (uintptr_t)comm && seen.r9 == (uintptr_t)stream);
	AS(ncclAllGather)((void *)1, (void *)2, 3, 4, comm, stream);
	CHECK(seen.rdx == 3 && (uint32_t)seen.rcx == 4 && seen.r8 == (uintptr_t)comm && seen.r9 == (uintptr_t)stream);
	AS(ncclSend)((void *)1, 2, 3, 4, comm, stream);
	CHECK(seen.rsi == 2 && (uint32_t)seen.rdx == 3 && (uint32_t)seen.rcx == 4 && seen.r8 == (uintptr_t)comm && seen.r9 == (uintptr_t)stream);
	AS(ncclCommSplit)(comm, 2, 3, (ncclComm_t *)4, config);
	CHECK(seen.rdi == (uintptr_t)comm && (uint32_t)seen.rsi == 2 && (uint32_t)seen.rdx == 3 && seen.rcx == 4 && seen.r8 == (uintptr_t)config);
	AS(ncclCommShrink)(comm, (int *)2, 3, (ncclComm_t *)4, config, 6);
	CHECK(seen.rsi == 2 && (uint32_t)seen.rdx == 3 && seen.rcx == 4 && seen.r8 == (uintptr_t)config && (uint32_t)seen.r9 == 6);
	AS(ncclCommGrow)(comm, 2, &id, 4, (ncclComm_t *)5, config);
	CHECK((uint32_t)seen.rsi == 2 && seen.rdx == (uintptr_t)&id && (uint32_t)seen.rcx == 4 && seen.r8 == 5 && seen.r9 == (uintptr_t)config);
}

/* The first instructions, as in the real library: endbr64; push %rbp | %rbx | %r12 | test. */
static void beginnings(void)
{
	static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	static const struct {
		const char *name, *then;
		size_t n;
	} functions[] = {
#define THEN_ENDBR64_PUSH "\x55"
#define THEN_ENDBR64_PUSH_RBX "\x53"
#define THEN_ENDBR64_PUSH_R12 "\x41\x54"
#define THEN_ENDBR64_TEST "\x85\xff"
#define ROW(name, kind) {#name, THEN_##kind, sizeof THEN_##kind - 1},
#include "nccl.def"
#undef ROW
	};
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		const unsigned char *code = dlsym(RTLD_DEFAULT, functions[i].name);
		CHECK(code != NULL && memcmp(code, endbr64, 4) == 0 && memcmp(code + 4, functions[i].then, functions[i].n) == 0);
	}
}
#else
static void positions(void) {}
static void beginnings(void) {}
#endif

static void aliases(void)
{
	static const char *const names[] = {
#define ROW(name, kind) #name,
#include "nccl.def"
#undef ROW
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char alias[64];
		snprintf(alias, sizeof alias, "p%s", names[i]);
		CHECK(dlsym(RTLD_DEFAULT, names[i]) != NULL && dlsym(RTLD_DEFAULT, names[i]) == dlsym(RTLD_DEFAULT, alias));
	}
}

/* What the library made of its arguments, in every position. */
static struct fakenccl_operation told;
static void watch(void *arg, const struct fakenccl_operation *operation)
{
	(void)arg;
	told = *operation;
}

static bool was(const char *function, uint64_t count, int datatype, int reduction, int root)
{
	return strcmp(told.function, function) == 0 && told.count == count && told.datatype == datatype &&
	       told.reduction == reduction && told.root == root;
}

static uint64_t hash_of(const ncclUniqueId *id)
{
	uint64_t hash = 5381;
	for (size_t i = 0; i < sizeof *id; i++)
		hash = ((hash << 5) + hash) ^ (uint64_t)(int64_t)id->internal[i];
	return hash;
}

static void arguments(void)
{
	ncclUniqueId id = sentinels(0x41);
	ncclComm_t comm;
	CUstream s;
	CHECK(cuStreamCreate(&s, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS);
	OK(ncclCommInitRankConfig(&comm, 1, id, 0, NULL));
	fakenccl_watch(watch, NULL);
	OK(ncclAllReduce(NULL, NULL, 11, ncclInt64, ncclMax, comm, s));
	CHECK(was("ncclAllReduce", 11, ncclInt64, ncclMax, -1) && told.bytes == 88 && told.communicator == hash_of(&id));
	OK(ncclReduceScatter(NULL, NULL, 13, ncclFloat16, ncclAvg, comm, s));
	CHECK(was("ncclReduceScatter", 13, ncclFloat16, ncclAvg, -1) && told.bytes == 26 && told.sequence == 2);
	OK(ncclAllGather(NULL, NULL, 17, ncclFloat8e5m2, comm, s));
	CHECK(was("ncclAllGather", 17, ncclFloat8e5m2, -1, -1) && told.bytes == 17);
	OK(ncclReduce(NULL, NULL, 19, ncclFloat64, ncclProd, 0, comm, s));
	CHECK(was("ncclReduce", 19, ncclFloat64, ncclProd, 0) && told.bytes == 152);
	OK(ncclBroadcast(NULL, NULL, 23, ncclBfloat16, 0, comm, s));
	CHECK(was("ncclBroadcast", 23, ncclBfloat16, -1, 0) && told.bytes == 46);
	OK(ncclBcast(NULL, 29, ncclUint32, 0, comm, s));
	CHECK(was("ncclBroadcast", 29, ncclUint32, -1, 0) && told.bytes == 116 && told.sequence == 6);
	OK(ncclAlltoAll(NULL, NULL, 31, ncclInt8, comm, s));
	CHECK(was("ncclAlltoAll", 31, ncclInt8, -1, -1));
	OK(ncclGather(NULL, NULL, 37, ncclUint8, 0, comm, s));
	CHECK(was("ncclGather", 37, ncclUint8, -1, 0));
	OK(ncclScatter(NULL, NULL, 41, ncclInt32, 0, comm, s));
	CHECK(was("ncclScatter", 41, ncclInt32, -1, 0) && told.bytes == 164);
	OK(ncclGroupStart());
	OK(ncclSend(NULL, 43, ncclFloat32, 0, comm, s));
	OK(ncclRecv(NULL, 43, ncclFloat32, 0, comm, s));
	OK(ncclGroupEnd());
	CHECK(was("ncclRecv", 43, ncclFloat32, -1, -1) && told.peer == 0 && told.sequence == 1 && told.grouped == 1);
	CHECK(told.enqueue_ns != 0 && told.start_ns != 0 && told.end_ns > told.start_ns && told.rank == 0 && told.ranks == 1);
	OK(ncclCommDestroy(comm));
	fakenccl_watch(NULL, NULL);
}

/* The identity is at the layout's offset, and once only. */
static unsigned places(ncclComm_t comm, uint64_t hash, size_t *last)
{
	const struct {
		uint64_t hash;
		int rank, ranks;
	} wanted = {hash, 0, 1};
	unsigned found = 0;
	for (size_t at = 0; at < 0x30000; at += 8)
		if (memcmp((const char *)comm + at, &wanted, sizeof wanted) == 0) {
			*last = at;
			found++;
		}
	return found;
}

static void layout(unsigned which, size_t offset)
{
	size_t at = 0;
	ncclComm_t comm;
	ncclUniqueId id = sentinels((unsigned char)(0x90 + which));
	fakenccl_set("nccl_layout", which);
	OK(ncclCommInitRank(&comm, 1, id, 0));
	CHECK(places(comm, hash_of(&id), &at) == 1 && at == offset);
	CHECK(places(comm, ~hash_of(&id), &at) == 1); /* what could be taken for it */
	OK(ncclCommDestroy(comm));
	fakenccl_set("nccl_hash", 1);
	fakenccl_set("nccl_decoys", 0);
	OK(ncclCommInitRank(&comm, 1, id, 0));
	CHECK(places(comm, hash_of(&id), &at) == 0 && places(comm, ~hash_of(&id), &at) == 0);
	OK(ncclCommDestroy(comm));
	fakenccl_set("nccl_hash", 0);
	fakenccl_set("nccl_decoys", 1);
}

int main(void)
{
	CHECK(sizeof(ncclUniqueId) == 128);
	positions();
	beginnings();
	aliases();
	arguments();
	layout(0, 0x1a8);
	layout(1, 0x5e38);
	layout(2, 0x2b1c0);
	printf("nccl abi ok\n");
	return 0;
}
