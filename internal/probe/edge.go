package probe

// Edge is what a call says of the order of work on the GPU.
type Edge uint8

// Edges.
const (
	EdgeNone Edge = iota
	EdgeRecordsEvent
	EdgeAwaitsEvent
	EdgeSyncsStream // of a copy that waits: the default GPU stream
	EdgeSyncsEvent
	EdgeSyncsDevice
	EdgeQueriesStream
	EdgeQueriesEvent
	EdgeBeginsCapture // of work into a CUDA graph, by the calling thread
	EdgeEndsCapture
	EdgeSetsDevice // the GPU in slot 0, for the calling thread
)

// Synchronises reports whether the host waits in the call.
func (e Edge) Synchronises() bool { return e >= EdgeSyncsStream && e <= EdgeSyncsDevice }
