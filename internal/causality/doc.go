// Package causality turns a tree of calls into a chain: under every blocked
// interval, what the thread that ended it was doing meanwhile, and so on
// through that thread's own waits. It asserts no cause from co-occurrence: an
// edge is an overlap on the same thread or a wakeup, and nothing else. Where
// the records do not tell, the chain says so.
//
// It is pure: no I/O, no clock, and bounded by Settings.
package causality
