//go:build amd64 || arm64

package capture

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/gpucause/gpucause/bpf"
)

// slots is a memory-mapped array of counters of type T and the stack of its free
// indices. The kernel side takes a slot for a thread and marks it dead when the
// thread is gone; only user space frees it, after its last reading.
type slots[T any] struct {
	memory *ebpf.Memory
	free   *ebpf.Map
	shared uint32 // slots below are never freed: whoever finds no free one shares them
	size   uint32
	last   map[uint32]*T // previous readings of slots in use
	spare  []*T          // readings to be used again
}

func newSlots[T any](array, free *ebpf.Map, shared uint32) (*slots[T], error) {
	memory, err := array.Memory()
	if err != nil {
		return nil, fmt.Errorf("mapping counters: %w", err)
	}
	s := &slots[T]{memory: memory, free: free, shared: shared, size: array.MaxEntries(), last: make(map[uint32]*T)}
	for i := s.size; i > shared; i-- {
		if err := free.Put(nil, i-1); err != nil {
			return nil, fmt.Errorf("filling the stack of free counters: %w", err)
		}
	}
	return s, nil
}

func (s *slots[T]) bytes(v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

func (s *slots[T]) offset(slot uint32) int64 {
	var v T
	return int64(slot) * int64(unsafe.Sizeof(v))
}

// read copies a slot. Counters may move on while it is read; each is whole.
func (s *slots[T]) read(slot uint32, to *T) error {
	_, err := s.memory.ReadAt(s.bytes(to), s.offset(slot))
	return err
}

// write overwrites a slot that the kernel side does not use now.
func (s *slots[T]) write(slot uint32, v *T) error {
	_, err := s.memory.WriteAt(s.bytes(v), s.offset(slot))
	return err
}

// previous returns the last reading of a slot, zero when there is none.
func (s *slots[T]) previous(slot uint32) *T {
	last, ok := s.last[slot]
	if !ok {
		last = s.take()
		s.last[slot] = last
	}
	return last
}

func (s *slots[T]) take() *T {
	if n := len(s.spare); n > 0 {
		v := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return v
	}
	return new(T)
}

// release zeroes a dead slot and gives it back.
func (s *slots[T]) release(slot uint32) error {
	var zero T
	if last, ok := s.last[slot]; ok {
		*last = zero
		s.spare = append(s.spare, last)
		delete(s.last, slot)
	}
	if slot < s.shared {
		return nil
	}
	if err := s.write(slot, &zero); err != nil {
		return err
	}
	return s.free.Put(nil, slot)
}

// stateOf reads only the state of a slot: the member at the given offset.
func (s *slots[T]) stateOf(slot uint32, member uintptr) (bpf.GpucauseSlotState, error) {
	var raw [4]byte
	if _, err := s.memory.ReadAt(raw[:], s.offset(slot)+int64(member)); err != nil {
		return 0, err
	}
	return bpf.GpucauseSlotState(*(*uint32)(unsafe.Pointer(&raw))), nil
}

// each reads every slot in use into a buffer and hands it to handle with its
// previous reading, then frees the dead ones. The shared slots count as in use.
func (s *slots[T]) each(member uintptr, handle func(slot uint32, now, before *T)) error {
	now := s.take()
	defer func() { s.spare = append(s.spare, now) }()
	for slot := uint32(1); slot < s.size; slot++ {
		state, err := s.stateOf(slot, member)
		if err != nil {
			return fmt.Errorf("reading counters: %w", err)
		}
		if state == bpf.GpucauseSlotStateSlotFree && slot >= s.shared {
			continue
		}
		if err := s.read(slot, now); err != nil {
			return fmt.Errorf("reading counters: %w", err)
		}
		before := s.previous(slot)
		handle(slot, now, before)
		*before = *now
		// A slot that was read as dead has had its last increment before.
		if state == bpf.GpucauseSlotStateSlotDead {
			if err := s.release(slot); err != nil {
				return fmt.Errorf("freeing counters: %w", err)
			}
		}
	}
	return nil
}
