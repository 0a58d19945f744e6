package target

import (
	"regexp"
	"strings"
)

// container is what a control group's path tells.
type container struct {
	id     string
	podUID string
}

var (
	containerIDPattern = regexp.MustCompile(`^(?:[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{5,10})$`)
	podUIDPattern      = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)
)

// parseCgroup reads /proc/PID/cgroup, of control groups version 1 or 2:
// "hierarchy:controllers:path" lines. The innermost container counts.
func parseCgroup(text string) container {
	var c container
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		c.id, c.podUID = orElse(c.id, containerIDIn(fields[2])), orElse(c.podUID, podUIDIn(fields[2]))
	}
	return c
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// containerIDIn looks for the innermost container in a control group's path.
// Runtimes write the id alone (Docker with cgroupfs, Kubernetes with cgroupfs),
// after "<runtime>-" with or without ".scope" (systemd), or after
// "<slice>:<runtime>:" (containerd with a driver mismatch).
func containerIDIn(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == ':' })
	for i := len(parts) - 1; i >= 0; i-- {
		part := strings.TrimSuffix(parts[i], ".scope")
		if strings.Contains(part, "conmon") { // the container's monitor, outside of it
			continue
		}
		if containerIDPattern.MatchString(part) {
			return part
		}
		if id := part[strings.LastIndexByte(part, '-')+1:]; len(id) == 64 && containerIDPattern.MatchString(id) {
			return id
		}
	}
	return ""
}

// podUIDIn looks for the innermost Kubernetes pod in a control group's path.
// systemd's names have _ for the - of the UID.
func podUIDIn(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == ':' })
	for i := len(parts) - 1; i >= 0; i-- {
		if match := podUIDPattern.FindStringSubmatch(parts[i]); match != nil {
			return strings.ReplaceAll(match[1], "_", "-")
		}
	}
	return ""
}
