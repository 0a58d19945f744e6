package causality

import (
	"time"

	"github.com/gpucause/gpucause/internal/event"
)

// AttributeExcess finds the cause of an excess of length total from how much more
// time than usual went into each state. It knows nothing but the ledger, so that
// launches are never told to have waited for room.
func AttributeExcess(grown *event.Ledger, total time.Duration) Attribution {
	causes := stateCauses
	return attribute(grown, total, &causes)
}

// Shown returns d as summaries tell it.
func Shown(d time.Duration) string { return shown(d) }
