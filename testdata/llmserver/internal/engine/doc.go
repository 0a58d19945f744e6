// Package engine starts engine processes and talks to them over a socket, one line
// per message. It schedules nothing and keeps no requests.
package engine
