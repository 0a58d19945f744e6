package causality

// Story says what is known of a waker's doings while it was waited for.
type Story uint8

// Stories.
const (
	StoryNone      Story = iota // not blocked: there is nothing to tell
	StoryTold                   // the waker is traced; Children are its intervals
	StoryRunning                // the waker is traced and was on a CPU throughout, but for intervals too short to be recorded
	StoryPartial                // as told, but the records do not cover the whole wait
	StoryNotTraced              // the waker's process was not traced then
	StoryInterrupt              // an interrupt ended the wait: a device or a timer, no thread
	StoryUnknown                // no wakeup was seen
	StoryTruncated              // left out: the chain is long enough
	StoryCycle                  // left out: the waker is already on the path from the root
	stories                     // how many there are
)

var storyNames = [stories]string{
	StoryNone:      "none",
	StoryTold:      "told",
	StoryRunning:   "running",
	StoryPartial:   "partly_traced",
	StoryNotTraced: "not_traced",
	StoryInterrupt: "interrupt",
	StoryUnknown:   "unknown",
	StoryTruncated: "truncated",
	StoryCycle:     "cycle",
}

// String returns the value of the attribute off_cpu.waker.story.
func (s Story) String() string {
	if s >= stories {
		return storyNames[StoryUnknown]
	}
	return storyNames[s]
}
