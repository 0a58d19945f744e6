package gpucausereceiver

import (
	"path/filepath"

	"go.uber.org/zap"

	"github.com/gpucause/gpucause/internal/kallsyms"
)

// symbols names Linux kernel addresses. The table is read when it is first
// needed, once; where it cannot be read, there are no names.
type symbols struct {
	procPath string
	logger   *zap.Logger
	read     bool
	table    *kallsyms.Table
}

// function returns the function that address is in, or "".
func (s *symbols) function(address uint64) string { return s.load().Name(address) }

// location returns "function+0x1f", or "".
func (s *symbols) location(address uint64) string { return s.load().Lookup(address) }

func (s *symbols) load() *kallsyms.Table {
	if s.read {
		return s.table
	}
	s.read = true
	table, err := kallsyms.ReadFile(filepath.Join(s.procPath, "kallsyms"))
	if err != nil {
		s.logger.Warn("Linux kernel stacks are left out: their functions have no names", zap.Error(err))
		return nil
	}
	s.table = table
	return table
}
