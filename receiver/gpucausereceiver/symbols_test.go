package gpucausereceiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestAddressesHaveNamesOrNothing(t *testing.T) {
	const address = 0xffffffff81000081
	for name, test := range map[string]struct{ listing, function, location string }{
		"listed":  {"ffffffff81000080 T schedule\n", "schedule", "schedule+0x1"},
		"unknown": {"fffffffff0000000 T far_away\n", "", ""},
		"hidden":  {"0000000000000000 T schedule\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &symbols{procPath: t.TempDir(), logger: zap.NewNop()}
			require.NoError(t, os.WriteFile(filepath.Join(s.procPath, "kallsyms"), []byte(test.listing), 0o600))
			assert.Equal(t, test.function, s.function(address))
			assert.Equal(t, test.location, s.location(address))
		})
	}
}
