# SPDX-License-Identifier: Apache-2.0
#
# Reads a truth report with --collectives=1 and checks of every operation what
# must hold: all ranks took part and called the same; it ends on no rank before
# those have arrived that the rank needs, and at the same time on all ranks where
# all need all. Prints how many there were, with ncclSend and ncclRecv as one.
function field(name,    at) {
	if (!match($0, "\"" name "\":\"?[^\",}]*")) return ""
	at = substr($0, RSTART, RLENGTH)
	sub(/^[^:]*:"?/, "", at)
	return at
}
function wrong(what) { print what ": " $0 > "/dev/stderr"; failed = 1; exit 1 }

/"type":"collective"/ {
	f = field("function"); rank = field("rank"); start = field("start_ns") + 0; end = field("end_ns") + 0
	if (field("aborted") != 0 || field("captured") != 0 || end == 0) next
	if (end < start) wrong("ends before it starts")
	pair = f == "ncclSend" || f == "ncclRecv"
	if (f == "ncclSend") key = field("communicator") " " rank " " field("peer") " " field("sequence")
	else if (f == "ncclRecv") key = field("communicator") " " field("peer") " " rank " " field("sequence")
	else key = field("communicator") " " field("sequence")
	what = (pair ? "" : f) " " field("count") " " field("datatype") " " field("op") " " field("root")
	if (key in called && called[key] != what) wrong("not what the others called")
	if ((key, f, rank) in seen) wrong("seen twice")
	seen[key, f, rank] = 1
	called[key] = what
	ranks[key] = pair ? 2 : field("ranks")
	count[key]++
	if (start > last[key]) last[key] = start
	if (rank == field("root")) root_start[key] = start
	same = f ~ /All|ReduceScatter/
	if (same && key in ends && ends[key] != end) wrong("ends at another time than on another rank")
	ends[key] = end
	if (same || pair || (f ~ /^nccl(Reduce|Gather)$/ && rank == field("root"))) needs_all[key, rank] = end
	if (f ~ /Broadcast|Scatter/ && !same && rank != field("root")) needs_root[key, rank] = end
}

END {
	if (failed) exit 1
	for (key in count) {
		if (count[key] != ranks[key]) { print key ": " count[key] " of " ranks[key] " ranks"; exit 1 }
		total++
	}
	for (at in needs_all) { split(at, part, SUBSEP); if (needs_all[at] < last[part[1]]) { print at ": ends before all arrived"; exit 1 } }
	for (at in needs_root) { split(at, part, SUBSEP); if (needs_root[at] < root_start[part[1]]) { print at ": ends before the root arrived"; exit 1 } }
	print total + 0
}
