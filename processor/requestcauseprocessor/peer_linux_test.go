package requestcauseprocessor

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/otel/attribute"
)

// apiScript is an API server that starts an engine, which does nothing, tells its
// number and keeps a connection open. It ends with its input.
const apiScript = `exec 3<>/dev/tcp/127.0.0.1/$0; sleep infinity 3>&- & echo $!; read; kill $!; wait`

// apiServer starts an API server, and returns its engine's number and its end
// of the connection to here.
func apiServer(t *testing.T) (engine int64, peer net.Addr) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	command := exec.Command("bash", "-c", apiScript, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	connection, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		input.Close()
		_ = command.Wait()
		connection.Close()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	engine, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	require.NoError(t, err)
	return engine, connection.RemoteAddr()
}

// TestRealProcesses has two servers that look alike, and nothing but the
// connection to tell them by.
func TestRealProcesses(t *testing.T) {
	engine, peer := apiServer(t)
	otherEngine, otherPeer := apiServer(t)
	config := createDefaultConfig().(*Config)
	this := thisMachine(config)
	sink := new(consumertest.TracesSink)
	f := fixtureOn(t, this, func(c *Config) { c.Wait = maxWait }, sink)
	require.NoError(t, f.Start(context.Background(), componenttest.NewNopHost()))
	begin := time.Now().Add(-3 * time.Second)
	mine, others := aStall(begin), aStall(begin)
	mine.pid, mine.tid, others.pid, others.tid, others.cause = engine, engine, otherEngine, otherEngine, "io"
	stalls := stallTraces(mine, others)
	for _, resource := range stalls.ResourceSpans().All() {
		resource.Resource().Attributes().PutStr("host.id", this.hostID)
		resource.Resource().Attributes().PutInt("process.parent_pid", int64(os.Getpid()))
	}
	require.NoError(t, f.ConsumeTraces(context.Background(), stalls))
	calls := []call{aCall(1, begin), aCall(2, begin)}
	for n, addr := range []net.Addr{peer, otherPeer} {
		requests := vllmTraces(calls[n])
		requests.ResourceSpans().At(0).Resource().Attributes().Clear()
		ctx := client.NewContext(context.Background(), client.Info{Addr: addr})
		require.NoError(t, f.ConsumeTraces(ctx, requests))
	}
	require.Eventually(t, func() bool {
		return f.count(t, "requestcause_peers", attribute.String("result", "found")) == 2
	}, maxWait/2, 10*time.Millisecond)
	f.stop(t)
	added := appended(sink.AllTraces()...)
	for n, cause := range []string{"stall: lock", "stall: io"} {
		shown, summary := childrenOf(added, &calls[n])
		require.Len(t, shown, 1)
		assert.Equal(t, cause, shown[0].Name())
		assert.Equal(t, "peer", valueOf(*summary, "stall.evidence"))
	}
}
