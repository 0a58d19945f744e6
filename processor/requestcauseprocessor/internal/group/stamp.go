package group

import (
	"strconv"
	"strings"
)

// StampAttribute is the resource attribute with the decision of an instance in
// mode resolve.
const StampAttribute = "gpucause.process_group"

// stampNone is the stamp of a sender that no group may be taken for the server of.
// It has no slash, so that it is no other stamp.
const stampNone = "none"

// maxStamped bounds the processes in a stamp.
const maxStamped = 256

// Stamp writes a decision for another instance to read: the host's id, a slash,
// and the numbers of the processes in the host's PID namespace; or that there is
// none, where the other instance, which knows less of the sender, could only be
// wrong. It is empty where there is nothing to say.
func (v *View) Stamp(d *Decision) string {
	if d.Outcome == Ambiguous || d.Elsewhere {
		return stampNone
	}
	if d.Outcome != Resolved || len(d.Members) == 0 || len(d.Members) > maxStamped {
		return ""
	}
	var text strings.Builder
	for _, t := range v.Traced {
		if !d.has(t.ID) {
			continue
		}
		if text.Len() == 0 {
			text.WriteString(t.HostID + "/")
		} else {
			text.WriteByte(',')
		}
		text.WriteString(strconv.FormatInt(t.PID, 10))
	}
	return text.String()
}

// parseStamp reads a stamp. The host's id may contain slashes.
func parseStamp(stamp string) (host string, pids []int64, ok bool) {
	at := strings.LastIndexByte(stamp, '/')
	if at <= 0 {
		return "", nil, false
	}
	for number := range strings.SplitSeq(stamp[at+1:], ",") {
		pid, err := strconv.ParseInt(number, 10, 64)
		if err != nil || pid <= 0 || len(pids) >= maxStamped {
			return "", nil, false
		}
		pids = append(pids, pid)
	}
	return stamp[:at], pids, true
}
