//go:build !arm64

package ncclmemory

// char is the C type char.
type char = int8
