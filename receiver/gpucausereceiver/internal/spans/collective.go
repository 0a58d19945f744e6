package spans

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/collective"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

// collectiveName is the name of the root span of an operation that all its ranks meet in.
const collectiveName = "collective"

// AppendCollective adds the span of one rank of an operation to the batch, and
// the root that the ranks meet under where this one is to emit it.
func (b *Batch) AppendCollective(o *collective.Operation) {
	id := b.builder.collectiveID(o)
	w := writer{batch: b, trace: id.trace}
	end := max(o.Completed, o.Enqueued, o.Refusal.At, o.End)
	at := place{parent: id.span, from: o.Start, to: end, own: true}
	if emitsRoot(o) {
		w.collectiveRoot(o, id, end)
	}
	key := spanKey{thread: o.Task.Thread, start: o.Start, kind: kindCollective, call: uint64(o.Serial)<<32 | uint64(o.Operation)}
	part := part{name: o.Row().Function, start: o.Start, end: end, key: key}
	span, _ := w.span(owner{process: o.Communicator.Process, task: o.Task}, part, at)
	w.describeCollective(span, o)
	if o.CycleStart != 0 {
		link(span, b.builder.cycleID(o.Communicator.Process, o.Task.Thread, o.CycleStart), linkCycle)
	}
}

// emitsRoot reports whether an operation's root span is this rank's to emit: that
// of rank 0, of the sender, and of whoever is alone with it.
func emitsRoot(o *collective.Operation) bool {
	_, paired := o.Peer()
	switch {
	case !meets(o):
		return true
	case paired:
		return o.Row().Role == probe.RoleSends
	default:
		return o.Communicator.Rank == 0
	}
}

// meets reports whether an operation's trace is the same one on all its ranks.
func meets(o *collective.Operation) bool {
	return o.Number() != 0 && o.Communicator.Rank != collective.Unknown
}

// collectiveID identifies the trace of an operation and its root span, from what
// all ranks know: the communicator, and the number of the operation on it; of a
// send and its receive also the two ranks. Where that is not known, the trace is
// the rank's own.
func (b *Builder) collectiveID(o *collective.Operation) rootID {
	data := []byte("gpucause/collective\x00")
	if meets(o) {
		from, to := collective.Unknown, collective.Unknown
		if peer, paired := o.Peer(); paired {
			from, to = o.Communicator.Rank, peer
			if o.Row().Role == probe.RoleReceives {
				from, to = peer, o.Communicator.Rank
			}
		}
		data = append(data, o.Communicator.Key[:]...)
		data = binary.BigEndian.AppendUint64(data, o.Number())
		data = binary.BigEndian.AppendUint32(data, uint32(int32(from)))
		data = binary.BigEndian.AppendUint32(data, uint32(int32(to)))
	} else {
		own := b.traceID(o.Communicator.Process, o.Task.Thread.TID, o.Start, kindCollective)
		data = append(data, own[:]...)
	}
	sum := sha256.Sum256(data)
	id := rootID{trace: pcommon.TraceID(sum[:16]), span: pcommon.SpanID(sum[16:24])}
	id.trace[15] |= 1 // neither may be zero
	id.span[7] |= 1
	return id
}

func (b *Builder) cycleID(process event.ProcessID, thread event.Thread, start ktime.Time) rootID {
	trace := b.traceID(process, thread.TID, start, kindCycle)
	key := spanKey{thread: thread, start: start, kind: kindCycle}
	return rootID{trace: trace, span: spanID(trace, pcommon.SpanID{}, key)}
}

func (w *writer) collectiveRoot(o *collective.Operation, id rootID, end ktime.Time) {
	span := w.batch.spansOf(o.Communicator.Process).AppendEmpty()
	span.SetTraceID(id.trace)
	span.SetSpanID(id.span)
	span.SetName(collectiveName)
	span.SetKind(ptrace.SpanKindInternal)
	start := o.Start
	for _, other := range o.Ranks() {
		start, end = min(start, other.Start), max(end, other.Completed, other.Enqueued, other.Refusal.At, other.End)
	}
	span.SetStartTimestamp(w.batch.timestamp(start))
	span.SetEndTimestamp(w.batch.timestamp(end))
	putCommunicator(span.Attributes(), o)
}

func putCommunicator(attributes pcommon.Map, o *collective.Operation) {
	attributes.PutStr(attrOperation, o.Name())
	if o.Communicator.Key.Known() {
		attributes.PutStr(attrCommunicator, o.Communicator.Key.String())
	}
	if o.Communicator.Size != collective.Unknown {
		attributes.PutInt(attrCommunicatorSize, int64(o.Communicator.Size))
	}
	if o.Number() != 0 {
		attributes.PutInt(attrSequence, int64(o.Number()))
	}
}

func (w *writer) describeCollective(span ptrace.Span, o *collective.Operation) {
	attributes := span.Attributes()
	putCommunicator(attributes, o)
	if o.Communicator.Rank != collective.Unknown {
		attributes.PutInt(attrRank, int64(o.Communicator.Rank))
	}
	putOperation(attributes, o)
	w.putTimes(attributes, o)
	putWait(w.batch, attributes, o)
	putArrival(attributes, o)
	if o.Failed() || o.Refused() {
		describeCollectiveFailure(span, o)
	}
}

func putOperation(attributes pcommon.Map, o *collective.Operation) {
	attributes.PutInt(attrCount, int64(o.Count()))
	attributes.PutStr(attrDatatype, probe.DatatypeName(o.Datatype()))
	if size := o.Size(); size > 0 {
		attributes.PutInt(attrSize, int64(size))
	}
	if reduction, ok := o.Reduction(); ok {
		attributes.PutStr(attrReduction, probe.ReductionName(reduction))
	}
	if root, ok := o.Root(); ok {
		attributes.PutInt(attrRoot, int64(root))
	}
	if peer, ok := o.Peer(); ok {
		attributes.PutInt(attrPeer, int64(peer))
	}
	attributes.PutStr(attrStream, "0x"+strconv.FormatUint(o.Stream(), 16))
	if o.Group != 0 {
		attributes.PutBool(attrGroup, true)
	}
}

// Qualities of the time of an enqueue.
const (
	qualityBounded    = "bounded"     // not after that time, and not before attrEnqueueNotBefore
	qualityLowerBound = "lower_bound" // not before attrEnqueueNotBefore
)

func (w *writer) putTimes(attributes pcommon.Map, o *collective.Operation) {
	attributes.PutBool(attrSampled, o.Sampled)
	attributes.PutBool(attrCompleted, o.Completed != 0)
	attributes.PutInt(attrLaunchesQueued, int64(o.Launches))
	// One whose group failed was not queued until then: it can be paired, so that
	// who waits for it learns why it does not come.
	if enqueued := max(o.Enqueued, o.Refusal.At); enqueued != 0 {
		quality := qualityBounded
		if o.AtLeast || o.Refused() {
			quality = qualityLowerBound
		}
		attributes.PutInt(attrEnqueueTime, w.batch.offset.UnixNano(enqueued))
		attributes.PutInt(attrEnqueueNotBefore, w.batch.offset.UnixNano(o.Entered))
		attributes.PutStr(attrEnqueueQuality, quality)
	}
	if o.Completed != 0 {
		attributes.PutInt(attrCompletionTime, w.batch.offset.UnixNano(o.Completed))
	}
	if o.Pending != 0 {
		attributes.PutInt(attrPendingTime, w.batch.offset.UnixNano(o.Pending))
	}
}

func putWait(b *Batch, attributes pcommon.Map, o *collective.Operation) {
	if o.Wait == (collective.Wait{}) {
		return
	}
	attributes.PutDouble(attrWait, o.Wait.Duration().Seconds())
	attributes.PutInt(attrWaitStart, b.offset.UnixNano(o.Wait.Start))
	if peer, known := o.PeerWait(); known {
		attributes.PutDouble(attrPeerWait, peer.Seconds())
	}
}

func putArrival(attributes pcommon.Map, o *collective.Operation) {
	if o.Previous == 0 {
		return
	}
	for state, d := range o.Arrival {
		if d > 0 {
			attributes.PutDouble(prefixArrivalTime+event.LedgerState(state).String(), d.Seconds())
		}
	}
	if o.Late == (collective.Reason{}) {
		return
	}
	attributes.PutStr(attrArrivalCause, o.Late.Cause)
	attributes.PutDouble(attrArrivalExplained, o.Late.Explained)
	attributes.PutStr(attrArrivalSummary, o.Late.Clause)
}

func describeCollectiveFailure(span ptrace.Span, o *collective.Operation) {
	result := o.Result
	if o.Refused() {
		result = o.Refusal.Result
	}
	name := probe.ResultName(probe.LayerNCCL, result)
	span.Attributes().PutStr(attrErrorType, name)
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage(name)
}
