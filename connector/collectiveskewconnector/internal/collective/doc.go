// Package collective is the vocabulary of the connector: what one rank reported
// of one collective, and the collective that the reports add up to. It decides
// nothing.
package collective
