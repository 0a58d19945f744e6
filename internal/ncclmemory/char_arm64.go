package ncclmemory

// char is the C type char.
type char = uint8
