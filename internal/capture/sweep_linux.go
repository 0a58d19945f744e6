//go:build amd64 || arm64

package capture

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
)

// goneAfter is how many lists of processes later one that is still missing has
// ended: the next list may have been begun before it did.
const goneAfter = 2

// sweep frees what exited processes left in the maps. alive is the last list of
// the host's processes that was made, and the number of that list. It may be old:
// a traced process that is missing there may have begun since.
func (t *tally) sweep(alive map[event.ProcessID]uint64, list uint64) error {
	traced := make(map[uint32]uint32)
	missing := make(map[event.ProcessID]uint64)
	var gone []event.ProcessID
	err := eachProcess(t.maps.Processes, func(id event.ProcessID, p *bpf.GpucauseProcess) {
		if _, ok := alive[id]; !ok {
			since, before := t.missing[id]
			if before && list-since >= goneAfter {
				gone = append(gone, id)
				t.killStats(p.Stats)
				return
			}
			if !before {
				since = list
			}
			missing[id] = since
		}
		traced[uint32(id.PID)] = p.Image
	})
	t.missing = missing
	if err != nil {
		return err
	}
	for _, id := range gone {
		if err := t.maps.Processes.Delete(uint32(id.PID)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forgetting process: %w", err)
		}
	}
	return errors.Join(
		sweepMap(t.maps.Functions, traced, imageOfFunction),
		sweepMap(t.maps.Registered, traced, imageOfFunction),
		sweepMap(t.maps.Pointers, traced, func(k *bpf.GpucausePointerKey) (tgid, image uint32) { return k.Tgid, k.Image }),
		sweepMap(t.maps.Communicators, traced, imageOfHandle),
		sweepMap(t.maps.Edges, traced, imageOfHandle),
		t.sweepPairs(),
		sweepMap(t.maps.ContextPlaces, traced, func(k *uint32) (tgid, image uint32) { return *k, traced[*k] }),
		t.sweepErrors(traced),
	)
}

func imageOfFunction(k *bpf.GpucauseFunctionKey) (tgid, image uint32) { return k.Tgid, k.Image }

func imageOfHandle(k *bpf.GpucauseHandleKey) (tgid, image uint32) { return k.Tgid, k.Image }

// killStats marks a process's own counters dead, as the kernel side does at its exit.
func (t *tally) killStats(slot uint32) {
	if slot < sharedStats || slot >= t.threads.size {
		return
	}
	dead := uint32(bpf.GpucauseSlotStateSlotDead)
	member := int64(unsafe.Offsetof(bpf.GpucauseThreadStats{}.State))
	_, _ = t.threads.memory.WriteAt(unsafe.Slice((*byte)(unsafe.Pointer(&dead)), 4), t.threads.offset(slot)+member)
}

// sweepPairs frees the pairs of communicators that are gone.
func (t *tally) sweepPairs() error {
	// Before the communicators: a pair is younger than its communicator.
	pairs, err := keysOf[bpf.GpucausePairKey](t.maps.Pairs)
	if err != nil || len(pairs) == 0 {
		return err
	}
	type serial struct{ tgid, serial uint32 }
	alive := make(map[serial]bool)
	var key bpf.GpucauseHandleKey
	var value bpf.GpucauseCommunicator
	entries := t.maps.Communicators.Iterate()
	for entries.Next(&key, &value) {
		alive[serial{key.Tgid, value.Serial}] = true
	}
	if err := entries.Err(); errors.Is(err, ebpf.ErrIterationAborted) {
		return nil // some may be missing: another time
	} else if err != nil {
		return fmt.Errorf("reading communicators: %w", err)
	}
	pairs = slices.DeleteFunc(pairs, func(k bpf.GpucausePairKey) bool { return alive[serial{k.Tgid, k.Serial}] })
	return deleteAll(t.maps.Pairs, pairs)
}

// sweepErrors must follow a reading of the error counts.
func (t *tally) sweepErrors(traced map[uint32]uint32) error {
	for key := range t.errors {
		if _, still := traced[key.Tgid]; still {
			continue
		}
		delete(t.errors, key)
		if err := t.maps.Errors.Delete(&key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forgetting error counts: %w", err)
		}
	}
	return nil
}

// sweepMap deletes the entries of processes that are not traced any more, and of
// programs that they executed before. traced are their images.
func sweepMap[K any](m *ebpf.Map, traced map[uint32]uint32, imageOf func(*K) (tgid, image uint32)) error {
	keys, err := keysOf[K](m)
	if err != nil {
		return err
	}
	return deleteAll(m, slices.DeleteFunc(keys, func(key K) bool {
		tgid, image := imageOf(&key)
		now, still := traced[tgid]
		return still && now == image
	}))
}

// keysOf returns the keys of a map that others change meanwhile: some may be missing.
func keysOf[K any](m *ebpf.Map) ([]K, error) {
	var keys []K
	var key K
	value := make([]byte, m.ValueSize())
	entries := m.Iterate()
	for entries.Next(&key, value) {
		keys = append(keys, key)
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("sweeping map: %w", err)
	}
	return keys, nil
}

func deleteAll[K any](m *ebpf.Map, keys []K) error {
	for i := range keys {
		if err := m.Delete(&keys[i]); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("sweeping map: %w", err)
		}
	}
	return nil
}
