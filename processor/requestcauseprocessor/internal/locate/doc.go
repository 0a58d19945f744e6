// Package locate finds the process group of a sender: it looks at this machine's
// processes where that helps, and keeps what it found, for a bounded time and a
// bounded number of senders.
package locate
