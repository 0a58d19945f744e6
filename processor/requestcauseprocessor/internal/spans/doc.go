// Package spans writes what was joined as spans: children of the request in its
// own trace, and spans in the stalls' traces that lead back. It decides names,
// attributes, ids and links, and nothing about which stalls are shown.
//
// It is pure: no I/O, no clock. What was in the payload before stays as it is;
// all that is written comes behind it. The same join gives the same spans, ids
// included.
package spans
