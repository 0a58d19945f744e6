// Package internal_test checks the architecture.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module    = "github.com/gpucause/gpucause/"
	collector = "go.opentelemetry.io/collector"
	pdata     = "go.opentelemetry.io/collector/pdata"
	ebpf      = "github.com/cilium/ebpf"
)

// pure are the packages that do no I/O, read no clock and start no goroutine.
var pure = []string{
	"internal/event", "internal/probe", "internal/timeline", "internal/collective", "internal/causality",
	"receiver/gpucausereceiver/internal/spans", "receiver/gpucausereceiver/internal/measurement",
	"connector/collectiveskewconnector/internal/collective", "connector/collectiveskewconnector/internal/recent",
	"connector/collectiveskewconnector/internal/intake", "connector/collectiveskewconnector/internal/pairing",
	"connector/collectiveskewconnector/internal/clock", "connector/collectiveskewconnector/internal/roster",
	"connector/collectiveskewconnector/internal/verdict", "connector/collectiveskewconnector/internal/engine",
	"connector/collectiveskewconnector/internal/spans", "connector/collectiveskewconnector/internal/measurement",
	requests + "/window", requests + "/process", requests + "/stall", requests + "/request", requests + "/scan",
	requests + "/group", requests + "/join", requests + "/neighbour", requests + "/spans", requests + "/core",
}

// requests is what the processor requestcause is made of.
const requests = "processor/requestcauseprocessor/internal"

// impure are imports by which a package would do what pure ones must not. Of net
// only netip, which does nothing but hold addresses, is not among them.
var impure = []string{"os", "io/fs", "net", "syscall", "sync", "sync/atomic", "os/exec", "golang.org/x/sys", "go.uber.org/zap"}

func TestOnlyTheCollectorsSideKnowsTheCollector(t *testing.T) {
	for _, f := range sources(t) {
		if f.under("receiver", "processor", "connector") {
			continue
		}
		for _, imported := range f.imports {
			// Commands may read the files that a Collector wrote.
			data := f.under("internal/cmd") && within(imported, pdata)
			assert.True(t, data || !within(imported, collector), "%s imports %s", f.path, imported)
			assert.False(t, within(imported, module+"receiver"), "%s imports %s", f.path, imported)
		}
	}
}

func TestComponentsDoNotKnowEachOther(t *testing.T) {
	components := []string{"receiver", "processor", "connector"}
	for _, f := range sources(t) {
		for _, own := range components {
			for _, other := range components {
				if own == other || !f.under(own) {
					continue
				}
				for _, imported := range f.imports {
					assert.False(t, within(imported, module+other), "%s imports %s", f.path, imported)
				}
			}
		}
	}
}

func TestOnlyCaptureTalksToBPF(t *testing.T) {
	for _, f := range sources(t) {
		if f.under("bpf", "internal/capture", "internal/probesite") {
			continue
		}
		for _, imported := range f.imports {
			assert.False(t, within(imported, ebpf), "%s imports %s", f.path, imported)
		}
	}
}

func TestPureCoreIsPure(t *testing.T) {
	for _, f := range sources(t) {
		if !f.under(pure...) {
			continue
		}
		for _, imported := range f.imports {
			for _, forbidden := range impure {
				assert.False(t, within(imported, forbidden) && imported != "net/netip", "%s imports %s", f.path, imported)
			}
			onlyData := !within(imported, collector) || within(imported, pdata)
			assert.True(t, onlyData, "%s imports %s", f.path, imported)
		}
	}
}

func TestPureCoreReadsNoClock(t *testing.T) {
	for _, f := range sources(t) {
		if f.under(pure...) {
			assert.NotContains(t, f.selectors, "time.Now", f.path)
			assert.NotContains(t, f.selectors, "time.Since", f.path)
		}
	}
}

func TestLeavesImportNothingOfOurs(t *testing.T) {
	allowed := map[string][]string{
		"internal/ktime":    nil,
		"internal/probe":    nil,
		"internal/kallsyms": nil,
		"internal/event":    {"internal/ktime", "internal/probe"},
	}
	for _, f := range sources(t) {
		leaf, ok := allowed[path.Dir(f.path)]
		if !ok {
			continue
		}
		for _, imported := range f.imports {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				assert.Contains(t, leaf, ours, "%s imports it", f.path)
			}
		}
	}
}

func TestCoreDoesNotKnowWhereRecordsComeFrom(t *testing.T) {
	for _, f := range sources(t) {
		if !f.under(pure...) {
			continue
		}
		for _, imported := range f.imports {
			for _, source := range []string{"bpf", "internal/capture", "internal/wire", "internal/target", "internal/probesite"} {
				assert.False(t, within(imported, module+source), "%s imports %s", f.path, imported)
			}
		}
	}
}

// source is a Go file that is part of the product.
type source struct {
	path      string // from the module's root, with slashes
	imports   []string
	selectors []string // "time.Now"
}

func (s *source) under(directories ...string) bool {
	for _, directory := range directories {
		if within(s.path, directory) {
			return true
		}
	}
	return false
}

// within reports whether a path is parent or below it.
func within(child, parent string) bool {
	return child == parent || strings.HasPrefix(child, parent+"/")
}

// sources parses every file of the module that is neither a test nor generated
// by a builder.
func sources(t *testing.T) []*source {
	t.Helper()
	var found []*source
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && file != ".." && strings.ContainsAny(name[:1], "_.") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parse(file)
		found = append(found, parsed)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

func parse(file string) (*source, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{path: strings.TrimPrefix(filepath.ToSlash(file), "../")}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		s.imports = append(s.imports, imported)
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if owner, ok := selector.X.(*ast.Ident); ok {
				s.selectors = append(s.selectors, owner.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return s, nil
}
