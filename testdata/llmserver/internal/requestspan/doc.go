// Package requestspan makes the request spans of vLLM: their names, attributes, types and
// resource, as the payloads in testdata have them.
package requestspan
