// Package group says which traced processes serve the requests of a sender. It
// rests on what is certain first and on hints last, and answers "ambiguous"
// rather than guessing between two groups.
package group
