// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "output.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct lines {
	char *text;
	size_t size;
	struct lines *next;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct lines *first, **last;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .last = &queue.first};

/* Owned by the main thread: what is added to. */
static struct lines *open_lines;
static FILE *open_file;

static struct lines *take(void)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.first == NULL)
		pthread_cond_wait(&queue.filled, &queue.lock);
	struct lines *lines = queue.first;
	queue.first = lines->next;
	if (queue.first == NULL)
		queue.last = &queue.first;
	pthread_mutex_unlock(&queue.lock);
	return lines;
}

/* Ends when the API server is gone; the input thread sees that, too. */
static void *write_socket(void *socket)
{
	for (;;) {
		struct lines *lines = take();
		for (size_t at = 0; at < lines->size;) {
			ssize_t n = send((int)(intptr_t)socket, lines->text + at, lines->size - at, MSG_NOSIGNAL);
			if (n <= 0)
				return NULL;
			at += (size_t)n;
		}
		free(lines->text);
		free(lines);
	}
}

void output_start(int socket)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, write_socket, (void *)(intptr_t)socket) != 0) {
		perror("engine: starting the output thread");
		exit(2);
	}
	pthread_detach(thread);
}

static FILE *opened(void)
{
	if (open_file == NULL) {
		open_lines = calloc(1, sizeof *open_lines);
		open_file = open_memstream(&open_lines->text, &open_lines->size);
	}
	return open_file;
}

void output_ready(void) { fputs("ready\n", opened()); }

void output_token(const struct sequence *s)
{
	fprintf(opened(), "out %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s\n", s->id, s->last_ns, s->queued_ns,
		s->scheduled_ns, s->traceparent, s->generated == s->max_tokens ? "last" : "more");
}

void output_post(void)
{
	if (open_file == NULL)
		return;
	fclose(open_file);
	open_file = NULL;
	pthread_mutex_lock(&queue.lock);
	*queue.last = open_lines;
	queue.last = &open_lines->next;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
}
