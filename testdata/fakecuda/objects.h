/* SPDX-License-Identifier: Apache-2.0
 *
 * Named 64-bit values of a process: handles and pointers that calls returned.
 */
#ifndef FAKECUDA_OBJECTS_H
#define FAKECUDA_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

void object_set(const char *name, uint64_t value);
/* object_place is where the value is, 0 at first; for who writes it later. */
uint64_t *object_place(const char *name);
bool object_find(const char *name, uint64_t *value);

#endif
