// Package join selects the stalls that a request met and adds up how much of it
// they took. It is pure: no clock, no I/O.
package join
