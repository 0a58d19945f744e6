// Package api is the API server: HTTP in the shape of OpenAI's completions in front,
// engines behind. It emits a span for every sequence that is complete.
package api
