// Package load is the client: it sends a workload's requests and reports each of them.
package load
