//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// jaeger is the address of Jaeger's API (its v3).
type jaeger string

func fromEnvironment(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	require.NotEmpty(t, value, "%s is not set: use testdata/e2e/run.sh", name)
	return value
}

func (j jaeger) read(t *testing.T, path string, query url.Values) []byte {
	t.Helper()
	response, err := http.Get(string(j) + path + "?" + query.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	return body
}

func (j jaeger) services(t *testing.T) []string {
	t.Helper()
	var answer struct {
		Services []string `json:"services"`
	}
	require.NoError(t, json.Unmarshal(j.read(t, "/api/v3/services", nil), &answer))
	return answer.Services
}

// most is more traces than a run makes.
const most = "50000"

// traces returns the service's traces of the last hour.
func (j jaeger) traces(t *testing.T, service string) []*tree.Trace {
	t.Helper()
	body := j.read(t, "/api/v3/traces", url.Values{
		"query.service_name":   {service},
		"query.start_time_min": {time.Now().Add(-time.Hour).Format(time.RFC3339Nano)},
		"query.start_time_max": {time.Now().Add(time.Minute).Format(time.RFC3339Nano)},
		"query.search_depth":   {most},
		"query.num_traces":     {most}, // the same before Jaeger v2.14
	})
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	batch, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(answer.Result)
	require.NoError(t, err)
	return tree.Collect(batch)
}

// exported returns what the Collector wrote into path.
func exported(t *testing.T, path string) []*tree.Trace {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	batches, err := tree.Read(file)
	require.NoError(t, err)
	return tree.Collect(batches...)
}
