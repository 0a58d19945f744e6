// Package intake reads the spans of collectives. Spans are foreign bytes: what a
// span must have to be paired is checked, everything else that does not make
// sense is as if it were not there. What it returns shares no memory with the
// spans, and strings are shared among the reports.
package intake
