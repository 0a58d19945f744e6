// Package clock bounds the offsets between the clocks of hosts by what collectives
// imply: where no rank completes before every rank has enqueued, a completion read
// on one clock is later than every enqueue read on the others.
//
// With theta the error of a clock (it reads t+theta at the true time t), e a lower
// bound of the latest enqueue and x an upper bound of the earliest completion of a
// collective on hosts A and B:
//
//	theta(B)-theta(A) <= x(B)-e(A)
//	theta(B)-theta(A) >= e(B)-x(A)
//
// The bounds of several collectives are intersected. They hold as long as the
// clocks run within the assumed drift and are not set; where they contradict each
// other, a clock was set, and what was known of it is forgotten. Nothing is
// assumed about networks or time services. It is pure and bounded.
package clock
