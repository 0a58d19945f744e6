// Package request knows which spans are requests and reads from them what a join
// needs: when they ran, in which phases, how much work they were. Which spans
// those are, and where the figures stand, is a table of rules.
package request
