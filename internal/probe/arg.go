package probe

// FirstDerefSlot is the slot of the first word copied through DerefSlot.
const FirstDerefSlot = 6

// Value takes the argument's bits out of a call's slots. An argument outside
// the slots has the value 0.
func (a Arg) Value(slots *[MaxSlots]uint64) uint64 {
	if int(a.Slot) >= len(slots) {
		return 0
	}
	value := slots[a.Slot] >> a.Shift
	if a.Bits < 64 {
		value &= 1<<a.Bits - 1
	}
	return value
}
