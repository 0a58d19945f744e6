// Package scan finds in a payload of traces what concerns a join: stalls,
// requests, and vLLM's start-up spans. It changes nothing, keeps nothing between
// two payloads, and may be used from several goroutines.
package scan
