// Package truth reads what the engines and the load client report of a run, and tells
// for every request which faults it met. README.md has the fields.
package truth
