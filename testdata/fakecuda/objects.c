// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "objects.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct object {
	char *name;
	uint64_t value;
	struct object *next;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct object *buckets[256];

/* A fork waits for writers, so that the child finds the lock free. */
static void before_fork(void) { pthread_rwlock_wrlock(&lock); }
static void after_fork(void) { pthread_rwlock_unlock(&lock); }
static void forked(void) { lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER; }

__attribute__((constructor)) static void load(void) { pthread_atfork(before_fork, after_fork, forked); }

static struct object **place(const char *name)
{
	unsigned hash = 5381;
	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char)*c;
	struct object **at = &buckets[hash % 256];
	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

/* Called with the lock held for writing. */
static struct object *object_of(const char *name)
{
	struct object **at = place(name);
	if (*at == NULL) {
		*at = calloc(1, sizeof **at);
		if (*at == NULL || ((*at)->name = strdup(name)) == NULL)
			abort();
	}
	return *at;
}

void object_set(const char *name, uint64_t value)
{
	pthread_rwlock_wrlock(&lock);
	object_of(name)->value = value;
	pthread_rwlock_unlock(&lock);
}

uint64_t *object_place(const char *name)
{
	pthread_rwlock_wrlock(&lock);
	uint64_t *at = &object_of(name)->value;
	pthread_rwlock_unlock(&lock);
	return at;
}

bool object_find(const char *name, uint64_t *value)
{
	pthread_rwlock_rdlock(&lock);
	struct object *object = *place(name);
	if (object != NULL)
		*value = object->value;
	pthread_rwlock_unlock(&lock);
	return object != NULL;
}
