package causality_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/internal/causality"
	"github.com/gpucause/gpucause/internal/event"
)

func TestAttributeExcess(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		grown event.Ledger
		want  causality.Attribution
	}{
		"most of it": {
			grown: event.Ledger{event.LedgerIO: 8 * ms, event.LedgerRunning: 3 * ms},
			want:  causality.Attribution{Cause: causality.CauseIO, Explained: 0.8, State: event.LedgerIO, Time: 8 * ms},
		},
		"states of one cause add up": {
			grown: event.Ledger{event.LedgerSleep: 2 * ms, event.LedgerRunning: 4 * ms},
			want:  causality.Attribution{Cause: causality.CauseHostCode, Explained: 0.6, State: event.LedgerRunning, Time: 6 * ms},
		},
		"less than half": {
			grown: event.Ledger{event.LedgerLock: 4 * ms},
			want:  causality.Attribution{Cause: causality.CauseUnknown, Explained: 0.4, State: event.LedgerLock, Time: 4 * ms},
		},
		"launches say nothing": {
			grown: event.Ledger{event.LedgerLaunch: 9 * ms},
			want:  causality.Attribution{Cause: causality.CauseUnknown, Explained: 0, State: event.LedgerLaunch, Time: 9 * ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := causality.AttributeExcess(&c.grown, 10*ms)
			assert.InDelta(t, c.want.Explained, got.Explained, 1e-9)
			got.Explained = c.want.Explained
			assert.Equal(t, c.want, got)
		})
	}
}

func TestShown(t *testing.T) {
	assert.Equal(t, "41.2 ms", causality.Shown(41234*time.Microsecond))
}
