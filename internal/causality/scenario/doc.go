// Package scenario reads the readable stories that specify timeline, causality
// and spans by example: who waited for whom, in testdata/scenarios, and the
// chain that must be told. It serves tests only.
//
// A story is a list of lines, in any order but that threads are declared first:
//
//	thread PID/TID COMM                    declares a thread; again, to reuse the number
//	process PID start=T                    the process is adopted at 0ms
//	follow PID at=T                        every off-CPU interval of the process is recorded from T on
//	call TID #ID FUNCTION T..T [in #ID] [result=N] [ARGUMENT=N] [FLAG...]
//	offcpu TID T..T REASON [in #ID] [wake=T] [by TID|softirq|hardirq|interrupt] [had=TID] [syscall=N] [stack=SYMBOL,...] [unrecorded]
//	cycle TID #ID T..T [repeat=N] [by=FUNCTION|max_cycle|thread_exit] [launches=N] [first_launches=N] [failed=N] [copied=N] [STATE=DURATION...]
//	communicator TID #SERIAL [id=NAME size=N rank=N] [late]   a process's end of a communicator of NCCL, of its own number
//	collective TID #SERIAL FUNCTION T..T [repeat=N every=DURATION] [ARGUMENT=N] [result=N] [launches=N] [cycle=T] [STATE=DURATION...]
//	complete TID #SERIAL FUNCTION T..T [repeat=N every=DURATION] [pending=T]   it waited for all operations so far, or found them complete
//	exit TID at=T                          the thread exits; "exit process PID at=T"
//	limit depth=N intervals=N              bounds of the chain
//	judge [min=DURATION] [ratio=N] [window=N] [warm_up=N] [baseline=DURATION] [all]
//
// A cycle's time that no STATE names is running; so is the time since the
// thread's collective before. With repeat=N, N cycles of the
// same length follow one another. Without judge there is no periodic baseline.
//
// Flags of a call are those of event.Notable (slow, interrupted, failed,
// first_launch, sampled, child, abandoned), and "dropped": its record was lost.
// Records arrive as the Linux kernel side sends them: at the end of what they tell.
package scenario
