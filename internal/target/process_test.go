package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/internal/ktime"
)

// fakeProcess writes the proc files of process 42.
func fakeProcess(t *testing.T, files map[string]string) (procRoot string) {
	t.Helper()
	procRoot = t.TempDir()
	dir := filepath.Join(procRoot, "42")
	require.NoError(t, os.Mkdir(dir, 0o700))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return procRoot
}

// stat with a name that tries to look like the rest of the line.
const statLine = "42 (a) S 9 (b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 2 3\n"

func TestDescribe(t *testing.T) {
	root := fakeProcess(t, map[string]string{
		"stat":    statLine,
		"status":  "Name:\tpython3\nNSpid:\t42\t7\t1\nThreads:\t1\n",
		"cgroup":  "0::/kubepods/pod" + pod + "/" + id1 + "\n",
		"environ": "SECRET=x\x00OTEL_SERVICE_NAME=llm\x00OTEL_RESOURCE_ATTRIBUTES=service.name=other,service.namespace=prod%20eu,team=a%2Cb,SECRET2=kept\x00PATH=/bin\x00",
		"cmdline": "/usr/bin/python3\x00serve.py\x00--token=x\x00",
		"comm":    "python3\n",
	})
	require.NoError(t, os.Symlink("/opt/app/bin/python3.12 (deleted)", filepath.Join(root, "42", "exe")))

	p, err := Describe(root, 42, DescribeOptions{})
	require.NoError(t, err)
	assert.Equal(t, Process{
		PID: 42, ParentPID: 7, NSPID: 1, Start: ktime.Time(123450 * 1e6),
		Executable: "python3.12", Title: "python3", ContainerID: id1, PodUID: pod,
		Service:            Service{Name: "llm", Namespace: "prod eu"},
		ResourceAttributes: map[string]string{"team": "a,b", "SECRET2": "kept"},
	}, p)

	p, err = Describe(root, 42, DescribeOptions{CommandLine: true})
	require.NoError(t, err)
	assert.Equal(t, []string{"/usr/bin/python3", "serve.py", "--token=x"}, p.CommandLine)
}

func TestDescribeLeavesOutWhatItCannotRead(t *testing.T) {
	p, err := Describe(fakeProcess(t, map[string]string{"stat": statLine, "comm": "wor\x1bker\n"}), 42, DescribeOptions{})
	require.NoError(t, err)
	assert.Equal(t, Process{PID: 42, ParentPID: 7, NSPID: 42, Start: p.Start, Executable: "wor\ufffdker"}, p)
}

func TestDescribeReportsMissingProcess(t *testing.T) {
	_, err := Describe(t.TempDir(), 42, DescribeOptions{})
	assert.ErrorIs(t, err, os.ErrNotExist)
	for _, stat := range []string{"", "42 (x) S 1", "42 (x) " + strings.Repeat("x ", 30)} {
		_, err := Describe(fakeProcess(t, map[string]string{"stat": stat}), 42, DescribeOptions{})
		assert.ErrorIs(t, err, errStat)
	}
}

func TestTitle(t *testing.T) {
	tests := map[string]string{
		"/usr/bin/python3":            "python3",
		"VLLM::EngineCore":            "VLLM::EngineCore",
		"nginx: worker --secret":      "nginx",
		"server --token=abc":          "server",
		"\x1b[31m":                    "\ufffd[31m",
		strings.Repeat("x", 500):      strings.Repeat("x", maxTitleBytes),
		"":                            "",
		"/usr/bin/env FOO=/etc/other": "env",
	}
	for argv0, want := range tests {
		assert.Equal(t, want, titleOf(argv0))
	}
}

func TestEnvironment(t *testing.T) {
	tests := map[string]struct {
		environ    string
		service    Service
		attributes map[string]string
		fails      bool
	}{
		"nothing":             {"PATH=/bin\x00", Service{}, nil, false},
		"service name":        {"OTEL_SERVICE_NAME=a\x00", Service{Name: "a"}, nil, false},
		"first one counts":    {"OTEL_SERVICE_NAME=a\x00OTEL_SERVICE_NAME=b\x00", Service{Name: "a"}, nil, false},
		"name by attribute":   {"OTEL_RESOURCE_ATTRIBUTES=service.name=n,service.instance.id=i\x00", Service{Name: "n", InstanceID: "i"}, map[string]string{}, false},
		"blanks":              {"OTEL_RESOURCE_ATTRIBUTES= a = b , c=d,\x00", Service{}, map[string]string{"a": "b", "c": "d"}, false},
		"equals in the value": {"OTEL_RESOURCE_ATTRIBUTES=a=b=c\x00", Service{}, map[string]string{"a": "b=c"}, false},
		"plus is no blank":    {"OTEL_RESOURCE_ATTRIBUTES=a=b+c\x00", Service{}, map[string]string{"a": "b+c"}, false},
		"one error, all gone": {"OTEL_SERVICE_NAME=a\x00OTEL_RESOURCE_ATTRIBUTES=x=y,z\x00", Service{Name: "a"}, nil, true},
		"bad escape":          {"OTEL_RESOURCE_ATTRIBUTES=a=%zz\x00", Service{}, nil, true},
		"no key":              {"OTEL_RESOURCE_ATTRIBUTES==b\x00", Service{}, nil, true},
		"too many":            {"OTEL_RESOURCE_ATTRIBUTES=" + manyAttributes(maxAttributes+1) + "\x00", Service{}, nil, true},
		"control characters":  {"OTEL_SERVICE_NAME=a\x1b\xff\x00", Service{Name: "a\ufffd\ufffd"}, nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			service, attributes, err := parseEnviron(test.environ).resource()
			assert.Equal(t, test.fails, err != nil)
			assert.Equal(t, test.service, service)
			assert.Equal(t, test.attributes, attributes)
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("k", i+1) + "=v,")
	}
	return b.String()
}

func TestEnvironmentIsBounded(t *testing.T) {
	environ := strings.Repeat("x", maxEnvironBytes-30) + "\x00OTEL_SERVICE_NAME=" + strings.Repeat("cut", 100)
	p, err := Describe(fakeProcess(t, map[string]string{"stat": statLine, "environ": environ}), 42, DescribeOptions{})
	require.NoError(t, err)
	assert.Empty(t, p.Service.Name)

	long := "OTEL_SERVICE_NAME=" + strings.Repeat("é", 1000) + "\x00"
	service, _, err := parseEnviron(long).resource()
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("é", maxAttributeValue/2), service.Name)
}
