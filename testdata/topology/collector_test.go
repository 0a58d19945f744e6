package topology

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
)

// collectorEnv names the built Collector. Tests that need it are skipped without.
const collectorEnv = "GPUCAUSE_COLLECTOR"

// collector is a gateway that is a process of its own: the built Collector, with
// gateway.yaml. It hands on what arrives, and what it says, to a receiver of the test.
type collector struct {
	*record
	endpoint string
	metrics  string // URL of its own metrics
	command  *exec.Cmd
	log      bytes.Buffer
	sink     component.Component
	counters string // its own metrics, from when it was shut down
}

func newCollector(t *testing.T) gateway {
	sink, metrics := freeEndpoint(t), freeEndpoint(t)
	host, port, err := net.SplitHostPort(metrics)
	require.NoError(t, err)
	g := &collector{record: newRecord(), endpoint: freeEndpoint(t), metrics: "http://" + metrics + "/metrics"}
	g.sink = receive(t, sink, consumerOf(t, g.record))
	g.command = exec.CommandContext(t.Context(), os.Getenv(collectorEnv), "--config", "gateway.yaml")
	g.command.Env = append(os.Environ(),
		"GATEWAY_ENDPOINT="+g.endpoint, "GATEWAY_NEXT="+sink, "GATEWAY_TTL="+patience.String(),
		"GATEWAY_METRICS_HOST="+host, "GATEWAY_METRICS_PORT="+port)
	g.command.Stdout, g.command.Stderr = &g.log, &g.log
	require.NoError(t, g.command.Start())
	t.Cleanup(func() {
		_ = g.command.Wait() // what t.Context ended
		if t.Failed() {
			t.Log(g.log.String())
		}
	})
	require.Eventually(t, g.listens, time.Minute, 10*time.Millisecond)
	return g
}

func (g *collector) listens() bool {
	conn, err := net.Dial("tcp", g.endpoint)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (g *collector) address() string { return g.endpoint }

func (g *collector) shutdown(t *testing.T) {
	g.counters = g.scrape(t)
	require.NoError(t, g.command.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, g.command.Wait())
	require.NoError(t, g.sink.Shutdown(t.Context()))
}

func (g *collector) scrape(t *testing.T) string {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.metrics, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	return string(body)
}

func (g *collector) counted(t *testing.T, name string) map[string]int64 {
	series := regexp.MustCompile(`(?m)^otelcol_` + name + `\{(?:result|verdict)="(\w+)"\} (\d+)$`)
	values := make(map[string]int64)
	for _, match := range series.FindAllStringSubmatch(g.counters, -1) {
		value, err := strconv.ParseInt(match[2], 10, 64)
		require.NoError(t, err)
		values[match[1]] += value
	}
	return values
}
