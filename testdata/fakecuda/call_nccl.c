// SPDX-License-Identifier: Apache-2.0
//
// Parameters of NCCL's functions as text.
#include "call_nccl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

void id_set(const char *name, const ncclUniqueId *id)
{
	char key[96];
	ncclUniqueId *own = malloc(sizeof *own);
	if (own == NULL)
		abort();
	*own = *id;
	snprintf(key, sizeof key, "ncclUniqueId %s", name);
	object_set(key, (uint64_t)(uintptr_t)own);
}

const ncclUniqueId *id_named(const char *name)
{
	char key[96];
	uint64_t value;
	snprintf(key, sizeof key, "ncclUniqueId %s", name);
	return object_find(key, &value) ? (const ncclUniqueId *)(uintptr_t)value : NULL;
}

struct named {
	const char *name;
	int value;
};

static const struct named datatypes[] = {
	{"int8", 0}, {"uint8", 1}, {"int32", 2}, {"uint32", 3}, {"int64", 4}, {"uint64", 5}, {"f16", 6}, {"f32", 7},
	{"f64", 8}, {"bf16", 9}, {"f8e4m3", 10}, {"f8e5m2", 11}, {NULL, 0},
};
static const struct named reductions[] = {{"sum", 0}, {"prod", 1}, {"max", 2}, {"min", 3}, {"avg", 4}, {NULL, 0}};

/* A name of the table, or a number; the table's first where there is no text. */
static int named(const struct named *table, const char *text, uint64_t *value)
{
	*value = 0;
	if (text == NULL)
		return 0;
	for (; table->name != NULL; table++)
		if (strcmp(table->name, text) == 0) {
			*value = (uint64_t)table->value;
			return 0;
		}
	return call_number(text, value);
}

/* "a,b,c" into ids; how many, or -1. */
static int ids_of(struct call *call, const char *text)
{
	int count = 0;
	while (text != NULL && *text != '\0') {
		char name[64];
		size_t n = strcspn(text, ",");
		snprintf(name, sizeof name, "%.*s", (int)n, text);
		const ncclUniqueId *id = id_named(name);
		if (id == NULL || count == 4)
			return -1;
		call->ids[count++] = *id;
		text += n + (text[n] == ',');
	}
	return count;
}

static int by_value(struct call *call, const char *text)
{
	call->by_value = &call->ids[0];
	return text == NULL || ids_of(call, text) == 1 ? 0 : -1;
}

/* "1,3" into numbers; how many, or -1. */
static int numbers(struct call *call, const char *text)
{
	int count = 0;
	for (char *end; text != NULL && *text != '\0'; text = end + (*end == ',')) {
		uint64_t value = strtoull(text, &end, 0);
		if (end == text || count == CALL_LIST)
			return -1;
		call->numbers[count++] = (int)value;
	}
	return count;
}

static int excluded(struct call *call, const char *text, uint64_t *slots)
{
	int count = numbers(call, text);
	slots[0] = (uint64_t)(uintptr_t)call->numbers;
	slots[1] = (uint64_t)count;
	return count < 0 ? -1 : 0;
}

/* A list, or NULL. */
static int devices(struct call *call, const char *text, uint64_t *slot)
{
	*slot = text == NULL ? 0 : (uint64_t)(uintptr_t)call->numbers;
	return numbers(call, text) < 0 ? -1 : 0;
}

/* NULL, unless `blocking=` says something else than the default. */
static int config(struct call *call, char *const *words, uint64_t *slot)
{
	uint64_t blocking;
	const char *text = call_word(words, "blocking");
	if (text == NULL)
		return 0;
	if (call_number(text, &blocking) != 0)
		return -1;
	call->config = (ncclConfig_t){
		.size = sizeof call->config, .magic = NCCL_API_MAGIC, .version = NCCL_VERSION_CODE, .blocking = (int)blocking,
		.cgaClusterSize = NCCL_CONFIG_UNDEF_INT, .minCTAs = NCCL_CONFIG_UNDEF_INT, .maxCTAs = NCCL_CONFIG_UNDEF_INT,
		.splitShare = NCCL_CONFIG_UNDEF_INT, .trafficClass = NCCL_CONFIG_UNDEF_INT,
		.collnetEnable = NCCL_CONFIG_UNDEF_INT, .CTAPolicy = NCCL_CONFIG_UNDEF_INT,
		.shrinkShare = NCCL_CONFIG_UNDEF_INT, .nvlsCTAs = NCCL_CONFIG_UNDEF_INT,
		.nChannelsPerNetPeer = NCCL_CONFIG_UNDEF_INT, .nvlinkCentricSched = NCCL_CONFIG_UNDEF_INT,
		.graphUsageMode = NCCL_CONFIG_UNDEF_INT, .numRmaCtx = NCCL_CONFIG_UNDEF_INT,
	};
	*slot = (uint64_t)(uintptr_t)&call->config;
	return 0;
}

/* An array that stays, so that the library may write to it when a group ends. */
static int communicators(struct call *call, char *const *words, const char *text, uint64_t *slot)
{
	uint64_t count = 0;
	const char *devices = call_word(words, "ndev");
	if (devices == NULL || call_number(devices, &count) != 0 || count > CALL_LIST)
		return -1;
	uint64_t *kept = object_place("communicators of ncclCommInitAll");
	if (*kept == 0)
		*kept = (uint64_t)(uintptr_t)calloc(CALL_LIST, sizeof(ncclComm_t));
	call->comms_name = text;
	call->comms = (ncclComm_t *)(uintptr_t)*kept;
	call->comms_count = (unsigned)count;
	*slot = *kept;
	return 0;
}

void call_nccl_results(const struct call *call, int index)
{
	char name[64], own[64];
	for (unsigned i = 0; i < call->comms_count && call->comms_name != NULL; i++) {
		const char *out = call_own_name(call->comms_name, index, name, sizeof name);
		snprintf(own, sizeof own, "%.48s%u", out, i);
		object_set(own, (uint64_t)(uintptr_t)call->comms[i]);
	}
}

static uint64_t communicator(const struct call_text *text)
{
	char buffer[64];
	const char *name = text->text == NULL ? "unnamed communicator" : text->text;
	return (uint64_t)(uintptr_t)object_place(call_own_name(name, text->index, buffer, sizeof buffer));
}

bool call_nccl_type(char type) { return type != '\0' && strchr("UQWNYJELHB", type) != NULL; }

int call_nccl_parameter(struct call *call, char *const *words, const struct call_text *t, int *slot)
{
	uint64_t *value = &call->slot[*slot];
	*slot += t->type == 'U' ? 0 : t->type == 'E' ? 2 : 1;
	switch (t->type) {
	case 'U':
		return by_value(call, t->text);
	case 'Q':
		*value = t->text == NULL ? 0 : (uint64_t)(uintptr_t)call->ids;
		return ids_of(call, t->text) < 0 ? -1 : 0;
	case 'W':
		*value = (uint64_t)(uintptr_t)&call->ids[0];
		call->id_name = t->text;
		return 0;
	case 'N':
		return config(call, words, value);
	case 'Y':
		return named(datatypes, t->text, value);
	case 'J':
		return named(reductions, t->text, value);
	case 'E':
		return excluded(call, t->text, value);
	case 'B':
		return devices(call, t->text, value);
	case 'H':
		*value = communicator(t);
		return 0;
	default:
		return communicators(call, words, t->text, value);
	}
}
