package target

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	id1 = "3f9e1c7b2a4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7"
	id2 = "aaaa1c7b2a4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5aaaa"
	pod = "7be92808-767b-11ea-8a1c-0cc47a0f6a3e"
)

func TestParseCgroup(t *testing.T) {
	under := strings.ReplaceAll(pod, "-", "_")
	tests := map[string]struct {
		text, id, pod string
	}{
		"none":                       {"0::/user.slice/user-1000.slice/session-3.scope\n", "", ""},
		"root":                       {"0::/\n", "", ""},
		"docker, version 1":          {"12:pids:/docker/" + id1 + "\n11:cpu:/docker/" + id1 + "\n", id1, ""},
		"docker, systemd":            {"0::/system.slice/docker-" + id1 + ".scope\n", id1, ""},
		"containerd, systemd":        {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + under + ".slice/cri-containerd-" + id1 + ".scope\n", id1, pod},
		"guaranteed pod":             {"0::/kubepods.slice/kubepods-pod" + under + ".slice/cri-containerd-" + id1 + ".scope", id1, pod},
		"containerd, cgroupfs":       {"0::/kubepods/burstable/pod" + pod + "/" + id1 + "\n", id1, pod},
		"containerd, mismatch":       {"0::/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + id1 + "\n", id1, pod},
		"cri-o":                      {"0::/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id1 + ".scope\n", id1, pod},
		"cri-o, process below":       {"0::/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + id1 + ".scope/container\n", id1, pod},
		"cri-o's monitor":            {"0::/kubepods.slice/kubepods-pod" + under + ".slice/crio-conmon-" + id1 + ".scope\n", "", pod},
		"podman":                     {"0::/machine.slice/libpod-" + id1 + ".scope/container\n", id1, ""},
		"podman without root":        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id1 + ".scope\n", id1, ""},
		"static pod":                 {"0::/kubepods/pod0123456789abcdef0123456789abcdef/" + id1 + "\n", id1, "0123456789abcdef0123456789abcdef"},
		"Fargate":                    {"1:cpu:/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-3057940393\n", "0123456789abcdef0123456789abcdef-3057940393", ""},
		"container in a container":   {"0::/docker/" + id2 + "/kubelet/kubepods/pod" + pod + "/" + id1 + "\n", id1, pod},
		"hybrid, first line without": {"0::/\n1:name=systemd:/docker/" + id1 + "\n", id1, ""},
		"63 digits":                  {"0::/docker/" + id1[1:] + "\n", "", ""},
		"not hexadecimal":            {"0::/docker/" + strings.ToUpper(id1) + "\n", "", ""},
		"garbage":                    {"::::\n\n:\x00", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, container{test.id, test.pod}, parseCgroup(test.text))
		})
	}
}

func FuzzParseCgroup(f *testing.F) {
	f.Add("0::/kubepods/burstable/pod" + pod + "/" + id1 + "\n")
	f.Add("12:pids:/docker/" + id1)
	f.Fuzz(func(t *testing.T, text string) {
		c := parseCgroup(text)
		if c.id != "" && !containerIDPattern.MatchString(c.id) || strings.Contains(c.podUID, "_") {
			t.Fatalf("%+v", c)
		}
	})
}
