// SPDX-License-Identifier: Apache-2.0
//
// The device thread, and waiting for it.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"

#define FC_DEVICE_PRIORITY 20
#define FC_DEVICE_SPIN_NS 15000 /* the device thread spins for the last stretch of a sleep */

/* Timers in order of time, each a word to wake or a function to run. Invariant: timers and running are guarded by device_lock,
 * which is taken inside of the lock of the marks. */
struct timer {
	uint64_t at;
	_Atomic uint32_t *word; /* set to 1 and woken; NULL: run fn, then free the timer */
	CUhostFn fn;
	void *data;
	struct timer *next;
};

static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t device_changed;
static struct timer *timers;
static bool running;

static void fire(struct timer *timer)
{
	if (timer->word != NULL) {
		_Atomic uint32_t *word = timer->word; /* the timer is the waiter's and ends with this store */
		atomic_store(word, 1);
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		return;
	}
	timer->fn(timer->data);
	free(timer);
}

/* Hardware waits for no CPU. Where it may, this thread does not either. */
static void take_any_cpu(void)
{
	struct sched_param param = {.sched_priority = FC_DEVICE_PRIORITY};
	cpu_set_t all;
	memset(&all, 0xff, sizeof all);
	sched_setaffinity(0, sizeof all, &all);
	sched_setscheduler(0, SCHED_FIFO, &param);
}

static void *device_main(void *unused)
{
	take_any_cpu();
	prctl(PR_SET_NAME, "fakegpu");
	prctl(PR_SET_TIMERSLACK, 1UL);
	pthread_mutex_lock(&device_lock);
	for (;;) {
		if (timers == NULL) {
			pthread_cond_wait(&device_changed, &device_lock);
			continue;
		}
		uint64_t wake = timers->at - FC_DEVICE_SPIN_NS;
		if (fc_now() < wake) {
			struct timespec ts = {(time_t)(wake / 1000000000u), (long)(wake % 1000000000u)};
			pthread_cond_timedwait(&device_changed, &device_lock, &ts);
			continue;
		}
		struct timer *due = timers;
		timers = due->next;
		pthread_mutex_unlock(&device_lock);
		fc_spin_until(due->at);
		fire(due);
		pthread_mutex_lock(&device_lock);
	}
	return unused;
}

void fc_timers_forked(void)
{
	pthread_mutex_init(&device_lock, NULL);
	timers = NULL;
	running = false;
}

static void start_device(void)
{
	pthread_condattr_t attr;
	pthread_t thread;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&device_changed, &attr);
	if (pthread_create(&thread, NULL, device_main, NULL) != 0)
		abort();
	pthread_detach(thread);
	running = true;
}

static void add_timer(struct timer *timer)
{
	pthread_mutex_lock(&device_lock);
	if (!running)
		start_device();
	struct timer **place = &timers;
	while (*place != NULL && (*place)->at <= timer->at)
		place = &(*place)->next;
	timer->next = *place;
	*place = timer;
	if (timers == timer)
		pthread_cond_signal(&device_changed);
	pthread_mutex_unlock(&device_lock);
}

static void start_timer(void *arg, uint64_t at)
{
	struct timer *timer = arg;
	timer->at = at == 0 ? fc_now() : at;
	add_timer(timer);
}

static void spin_for(const fc_end *end)
{
	while (fc_pending(atomic_load(end)))
		fc_pause();
	fc_spin_until(atomic_load(end));
}

void fc_wait(fc_end *end)
{
	if (fc_over(atomic_load(end)))
		return;
	if (fc_settings.spin) {
		spin_for(end);
		return;
	}
	_Atomic uint32_t done = 0;
	struct timer timer = {.word = &done};
	fc_end_then(end, start_timer, &timer);
	while (atomic_load(&done) == 0)
		syscall(SYS_futex, &done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

void fc_at(fc_end *end, CUhostFn fn, void *data)
{
	struct timer *timer = calloc(1, sizeof *timer);
	if (timer == NULL)
		abort();
	*timer = (struct timer){.fn = fn, .data = data};
	fc_end_then(end, start_timer, timer);
}
