package gpucausereceiver

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What a system call leaves open is told by the Linux kernel's stack. The other
// reasons are tested in internal/capture.
func TestRefinedReasons(t *testing.T) {
	for _, tt := range []struct{ span, script string }{
		{"blocked: pipe", "pipe p\nprocess writer { await-blocked; sleep 30ms; write p 4 }\ninside cuLaunchKernel { read p 4 }\n"},
		{"blocked: io", "make-file /var/tmp/gpucause-refined 32m\ninside cuLaunchKernel { touch-pages /var/tmp/gpucause-refined 512k }\n"},
		{"blocked: page_fault", "inside cuLaunchKernel { fault 30ms }\n"},
		{"blocked: rwsem", "memory m 128m\nthread changer { pin 1; protect m 1s }\npin 0\ninside cuLaunchKernel { mincore 1s }\n"},
	} {
		t.Run(tt.span, func(t *testing.T) {
			hold(t, func(t *trial) {
				s := tell(t, "cudaLaunchKernel func=gemm\n"+tt.script+"cudaLaunchKernel func=gemm\njoin\nremove /var/tmp/gpucause-refined\n")
				// That others have the CPU meanwhile is not what is tested.
				blocked := slices.DeleteFunc(s.waitsUnder(s.launch()), func(w ptrace.Span) bool { return attr(w, "off_cpu.kind") != "blocked" })
				require.NotEmpty(t, blocked)
				assert.Equal(t, tt.span, mostOf(blocked))
			})
		})
	}
}

// mostOf returns the name of the spans that take most time together.
func mostOf(spans []ptrace.Span) string {
	total := make(map[string]time.Duration)
	for _, span := range spans {
		total[span.Name()] += length(span)
	}
	names := make([]string, 0, len(total))
	for name := range total {
		names = append(names, name)
	}
	return slices.MaxFunc(names, func(a, b string) int { return int(total[a] - total[b]) })
}
