package gpucausereceiver

import (
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func describeProcess(procPath string, pid event.PID, config ResourceConfig) pcommon.Map {
	return pcommon.NewMap()
}

func timestamp(offset ktime.Offset, t ktime.Time) pcommon.Timestamp {
	return pcommon.Timestamp(offset.UnixNano(t))
}
