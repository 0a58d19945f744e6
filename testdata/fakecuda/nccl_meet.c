// SPDX-License-Identifier: Apache-2.0
//
// How operations of different ranks meet.
#include "nccl_meet.h"

#include "nccl.h"

enum needs { needs_itself, needs_root, needs_all };

/* What an operation waits for, on its root and on the other ranks, and whether
 * it ends at the same time for all of them. */
static const struct {
	enum needs root, others;
	bool same_end;
} rules[] = {
	[nc_all_reduce] = {needs_all, needs_all, true},
	[nc_reduce_scatter] = {needs_all, needs_all, true},
	[nc_all_gather] = {needs_all, needs_all, true},
	[nc_all_to_all] = {needs_all, needs_all, true},
	[nc_reduce] = {needs_all, needs_itself, false},
	[nc_gather] = {needs_all, needs_itself, false},
	[nc_broadcast] = {needs_itself, needs_root, false},
	[nc_scatter] = {needs_itself, needs_root, false},
	[nc_send] = {needs_all, needs_all, true},
	[nc_recv] = {needs_all, needs_all, true},
};

static bool is_root(const struct nc_op *op) { return op->root == (int)op->rank; }

static enum needs needs_of(const struct nc_op *op) { return is_root(op) ? rules[op->function].root : rules[op->function].others; }

static uint32_t sender(const struct nc_op *op) { return op->function == nc_send ? op->rank : (uint32_t)op->root; }
static uint32_t receiver(const struct nc_op *op) { return op->function == nc_send ? (uint32_t)op->root : op->rank; }

static struct nc_slot *slot_of(struct nc_segment *segment, const struct nc_op *op)
{
	return nc_pairwise(op->function) ? nc_slot_of_pair(segment, sender(op), receiver(op), op->position)
					 : nc_slot_of_all(segment, op->position);
}

static uint64_t round_of(const struct nc_op *op)
{
	return (op->position - 1) / (nc_pairwise(op->function) ? NC_PAIR_SLOTS : NC_SLOTS);
}

static uint32_t participants(const struct nc_segment *segment, const struct nc_op *op)
{
	return nc_pairwise(op->function) ? 2 : segment->ranks;
}

/* The rank's place among the participants. */
static uint32_t place_of(const struct nc_op *op) { return nc_pairwise(op->function) ? op->function == nc_recv : op->rank; }

/* Two operations differ when this does. Both sides of a pair are alike. */
static uint64_t what(const struct nc_op *op)
{
	uint64_t function = nc_pairwise(op->function) ? nc_send : op->function;
	uint64_t root = nc_pairwise(op->function) ? 0 : (uint64_t)(op->root + 1);
	return function | root << 8 | op->bytes << 24;
}

uint64_t nc_op_ns(const struct nc_op *op)
{
	unsigned long long rate = nc_settings.nccl_bytes_per_us;
	uint64_t moving = rate == 0 ? 0 : (uint64_t)((double)op->bytes * 1000.0 / (double)rate);
	return nc_settings.nccl_latency_ns + moving;
}

/* Notes those that may go on because this rank arrived. */
static void note(struct nc_segment *segment, const struct nc_op *op, bool last, struct nc_rings *rings)
{
	bool root_came = is_root(op) && rules[op->function].others == needs_root;
	if (!last && !root_came)
		return;
	for (uint32_t rank = 0; rank < segment->ranks; rank++)
		if (rank != op->rank && (!nc_pairwise(op->function) || (int)rank == op->root)) {
			atomic_store(&rings->ranks[rank], true);
			atomic_store(&rings->any, true);
		}
}

/* Whether the slot serves this position by now. A rank that finds that it does
 * not says so before it looks again, so that whoever frees the slot rings. */
static bool serves(struct nc_segment *segment, const struct nc_slot *slot, const struct nc_op *op)
{
	if (atomic_load(&slot->round) == round_of(op))
		return true;
	atomic_store(&segment->blocked, 1);
	return atomic_load(&slot->round) == round_of(op);
}

bool nc_op_arrive(struct nc_segment *segment, struct nc_op *op, uint64_t at, struct nc_rings *rings)
{
	struct nc_slot *slot = slot_of(segment, op);
	struct nc_arrival *own = &slot->arrivals[place_of(op)];
	if (!serves(segment, slot, op))
		return false;
	own->what = what(op);
	atomic_store(&own->at, at);
	op->arrived = true;
	note(segment, op, atomic_fetch_add(&slot->arrived, 1) + 1 == participants(segment, op), rings);
	return true;
}

/* The latest of the arrivals that the operation needs; 0 while one is missing or differs. */
static uint64_t latest(const struct nc_slot *slot, const struct nc_op *op, uint32_t count)
{
	enum needs needs = needs_of(op);
	uint64_t at = atomic_load(&slot->arrivals[place_of(op)].at);
	if (needs == needs_all && atomic_load(&slot->arrived) < count)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (needs == needs_itself || (needs == needs_root && i != (uint32_t)op->root))
			continue;
		uint64_t other = atomic_load(&slot->arrivals[i].at);
		if (other == 0 || (!nc_settings.nccl_desync && slot->arrivals[i].what != what(op)))
			return 0;
		at = at < other ? other : at;
	}
	return at;
}

/* The end of the operation, not in the past; where it is the same for all, what
 * the first to know said. */
static uint64_t end_of(struct nc_slot *slot, const struct nc_op *op, uint64_t at)
{
	uint64_t end = at + nc_op_ns(op), now = nc_now(), said = 0;
	end = end < now ? now : end;
	if (rules[op->function].same_end && !atomic_compare_exchange_strong(&slot->end, &said, end))
		return said;
	return end;
}

/* The last one to leave makes the place free for the position that is next. */
static void recycle(struct nc_segment *segment, struct nc_slot *slot, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		atomic_store(&slot->arrivals[i].at, 0);
	atomic_store(&slot->end, 0);
	atomic_store(&slot->arrived, 0);
	atomic_store(&slot->left, 0);
	atomic_fetch_add(&slot->round, 1);
	if (atomic_exchange(&segment->blocked, 0) != 0)
		nc_ring_others(segment, segment->ranks);
}

bool nc_op_leave(struct nc_segment *segment, struct nc_op *op)
{
	struct nc_slot *slot = slot_of(segment, op);
	uint32_t count = participants(segment, op);
	uint64_t at = latest(slot, op, count);
	if (at == 0)
		return false;
	op->end = end_of(slot, op, at);
	op->left = true;
	if (atomic_fetch_add(&slot->left, 1) + 1 == count)
		recycle(segment, slot, count);
	return true;
}
