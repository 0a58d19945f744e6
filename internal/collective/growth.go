package collective

// maxGrowths bounds the growths whose keys are remembered, and those whose keys
// are waited for.
const maxGrowths = 1024

// noteGrowth remembers the key of a grown communicator, which the root has told.
func (t *Tracker) noteGrowth(g growth, key Key) {
	if len(t.growths) >= maxGrowths {
		t.stats.NoRoom.Growths += uint64(len(t.growths))
		clear(t.growths)
	}
	t.growths[g] = key
	for _, c := range t.unnamed[g] {
		t.learn(c, Unknown, Unknown, key)
	}
	delete(t.unnamed, g)
}

// waitForGrowth names c when the root is heard of.
func (t *Tracker) waitForGrowth(g growth, c *Communicator) {
	if c.Key.Known() {
		return
	}
	if len(t.unnamed) >= maxGrowths {
		t.stats.NoRoom.Growths += uint64(len(t.unnamed))
		clear(t.unnamed)
	}
	t.unnamed[g] = append(t.unnamed[g], c)
}
