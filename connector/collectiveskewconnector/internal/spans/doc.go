// Package spans makes spans of verdicts. The same verdict gives the same span,
// its id included. It is pure.
package spans
