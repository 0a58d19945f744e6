package load

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

// Summary is what came of a run's requests.
type Summary struct {
	Answered  int
	Failed    int
	LastError string
	latencies map[string][]time.Duration // of the answered ones, by kind
}

func (s *Summary) add(r truth.Request) {
	if r.Status != http.StatusOK {
		s.Failed++
		s.LastError = r.Error
		return
	}
	if s.latencies == nil {
		s.latencies = make(map[string][]time.Duration)
	}
	s.Answered++
	s.latencies[r.Kind] = append(s.latencies[r.Kind], time.Duration(r.EndUnix-r.StartUnix))
}

// String has a line for every kind: how many, and how long they took.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests answered, %d failed\n", s.Answered, s.Failed)
	if s.Failed > 0 {
		fmt.Fprintf(&b, "  the last error: %s\n", s.LastError)
	}
	for _, kind := range []kind{short, medium, long, blocker} {
		if all := s.latencies[kind.name]; len(all) > 0 {
			slices.Sort(all)
			fmt.Fprintf(&b, "  %-13s %5d   median %6.1f ms   longest %7.1f ms\n", kind.name, len(all), ms(all[len(all)/2]), ms(all[len(all)-1]))
		}
	}
	return b.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
