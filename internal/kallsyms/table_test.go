package kallsyms

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const listing = `ffffffff81000000 T _stext
ffffffff81000100 t do_futex
ffffffff81000100 T alias_of_do_futex
ffffffff81000080 T schedule
ffffffff82000000 D some_data
not a line
ffffffffc0000000 t nvidia_ioctl	[nvidia]
zz T bad_address
`

func TestLookup(t *testing.T) {
	table, err := Read(strings.NewReader(listing))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		address      uint64
		lookup, name string
	}{
		"start of a function":  {0xffffffff81000080, "schedule+0x0", "schedule"},
		"inside a function":    {0xffffffff8100009f, "schedule+0x1f", "schedule"},
		"first alias wins":     {0xffffffff81000101, "do_futex+0x1", "do_futex"},
		"module":               {0xffffffffc0000010, "nvidia_ioctl+0x10", "nvidia_ioctl"},
		"before all":           {0x10, "", ""},
		"far behind the last":  {0xfffffffff0000000, "", ""},
		"data is not function": {0xffffffff82000000, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.lookup, table.Lookup(test.address))
			assert.Equal(t, test.name, table.Name(test.address))
		})
	}
}

func TestHiddenAddresses(t *testing.T) {
	_, err := Read(strings.NewReader("0000000000000000 T schedule\n0000000000000000 t do_futex\n"))
	require.ErrorIs(t, err, ErrHidden)
	for _, remedy := range []string{"CAP_SYSLOG", "kernel.kptr_restrict", "kernel.perf_event_paranoid"} {
		assert.ErrorContains(t, err, remedy)
	}
}

func TestNilAndEmptyTablesKnowNothing(t *testing.T) {
	var table *Table
	assert.Empty(t, table.Lookup(0x1f))
	empty, err := Read(strings.NewReader(""))
	require.NoError(t, err)
	assert.Empty(t, empty.Name(0x1f))
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kallsyms")
	require.NoError(t, os.WriteFile(path, []byte(listing), 0o600))
	table, err := ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "schedule", table.Name(0xffffffff81000081))

	_, err = ReadFile(path + ".missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzRead(f *testing.F) {
	f.Add(listing, uint64(0xffffffff81000081))
	f.Fuzz(func(t *testing.T, listing string, address uint64) {
		table, err := Read(strings.NewReader(listing))
		if err == nil {
			name, location := table.Name(address), table.Lookup(address)
			assert.True(t, strings.HasPrefix(location, name))
			assert.Equal(t, name == "", location == "")
		}
	})
}
