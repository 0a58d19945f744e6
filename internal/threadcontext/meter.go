package threadcontext

import (
	"errors"
	"io"
)

var errBudget = errors.New("its files are too large to be searched")

// meter reads as much as is left, and then no more.
type meter struct {
	of   io.ReaderAt
	left *int64
}

// ReadAt implements [io.ReaderAt].
func (m *meter) ReadAt(to []byte, offset int64) (int, error) {
	if *m.left -= int64(len(to)); *m.left < 0 {
		return 0, errBudget
	}
	return m.of.ReadAt(to, offset)
}
