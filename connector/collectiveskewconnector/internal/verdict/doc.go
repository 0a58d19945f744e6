// Package verdict tells of a collective who was late, by how much, who waited for
// it and why; or that ranks do not agree, or are missing. It asserts a straggler
// only where somebody provably waited for it, or where nothing is known of anybody's
// waiting and it says so; and only what exceeds the time that calls take to enqueue
// and, across hosts, the error of their clocks. It is pure: time is passed in.
package verdict
