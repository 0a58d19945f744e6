// Package scenario reads the readable stories that specify the connector by
// example: what ranks report, in testdata/scenarios, and the verdicts that must be
// told. It serves tests only.
//
// A story is a list of lines. Times are true ones, from the story's beginning or,
// below a collective, from its `at`; every host reads them with its clock's error.
//
//	settings [ttl=DURATION] [min_lag=DURATION] [clock_window=DURATION] [max_collectives=N] [max_spans=N]
//	host NAME [clock=DURATION]                 declares a host and what its clock reads too much
//	set NAME clock=DURATION                    its clock is set
//	collective #N OPERATION size=N [at=T] [communicator=NAME] [count=N] [type=NAME] [op=NAME] [root=N] [unsampled]
//	pair #N FROM-TO size=N [at=T] [...]        a send and a receive
//	rank N|N-N HOST T [call=DURATION] [done=T] [wait=T..T] [pending] [lower_bound] [old] [timeless] [again] [failed=ERROR]
//	                  [count=N] [type=NAME] [op=NAME] [operation=NAME]
//	                  [STATE=DURATION...] [cause=NAME] [summary=WORDS_WITH_UNDERSCORES]
//	later DURATION                             time passes
//	close                                      everything is ended
//
// The T of a rank is when the call that enqueues returns, and call is how long that
// took. An old rank says only when its call was made, and a timeless one not even that.
//
// The spans of a collective arrive a millisecond after they are written down, in
// the order of the lines.
package scenario
