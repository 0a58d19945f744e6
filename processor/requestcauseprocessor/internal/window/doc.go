// Package window is wall time as spans have it: instants, and half-open intervals
// between two of them. A leaf.
package window
