// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "truth.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct message *first, **last;
	bool ended;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .last = &queue.first};

static bool read_add(struct message *m, const char *line)
{
	struct sequence *s = m->sequence = calloc(1, sizeof *s);
	m->kind = message_add;
	s->received_ns = truth_now();
	return sscanf(line, "add %191s %" SCNu64 " %" SCNu64 " %" SCNu64 " %63s", s->id, &s->prompt_tokens, &s->max_tokens,
		      &s->logprobs, s->traceparent) == 5 && s->prompt_tokens > 0 && s->max_tokens > 0;
}

static bool read_abort(struct message *m, const char *line)
{
	m->kind = message_abort;
	return sscanf(line, "abort %191s", m->name) == 1;
}

static bool read_fault(struct message *m, const char *line)
{
	m->kind = message_fault;
	return sscanf(line, "fault %191s %" SCNu64, m->name, &m->ns) == 2;
}

static struct message *read_message(const char *line)
{
	static bool (*const readers[])(struct message *, const char *) = {read_add, read_abort, read_fault};
	struct message *m = calloc(1, sizeof *m);
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
		if (readers[i](m, line))
			return m;
		free(m->sequence);
		m->sequence = NULL;
	}
	fprintf(stderr, "engine: the API server sent: %s", line);
	exit(2);
}

static void put(struct message *m)
{
	pthread_mutex_lock(&queue.lock);
	if (m == NULL) {
		queue.ended = true;
	} else {
		*queue.last = m;
		queue.last = &m->next;
	}
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
}

static void *read_socket(void *file)
{
	char line[1024];
	while (fgets(line, sizeof line, file) != NULL)
		put(read_message(line));
	put(NULL);
	fclose(file);
	return NULL;
}

void input_start(int socket)
{
	pthread_t thread;
	FILE *file = fdopen(socket, "r");
	if (file == NULL || pthread_create(&thread, NULL, read_socket, file) != 0) {
		perror("engine: reading the socket of --socket");
		exit(2);
	}
	pthread_detach(thread);
}

/* Under the lock. */
static struct message *take(bool *ended)
{
	struct message *first = queue.first;
	*ended = first == NULL && queue.ended;
	queue.first = NULL;
	queue.last = &queue.first;
	pthread_mutex_unlock(&queue.lock);
	return first;
}

struct message *input_poll(bool *ended)
{
	pthread_mutex_lock(&queue.lock);
	return take(ended);
}

struct message *input_wait(bool *ended)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.first == NULL && !queue.ended)
		pthread_cond_wait(&queue.filled, &queue.lock);
	return take(ended);
}
