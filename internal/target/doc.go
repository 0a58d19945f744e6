// Package target finds who uses CUDA: which mapped files are CUDA libraries, by
// real inode and by what they define, and who the processes are that map them.
// It starts no goroutine and attaches nothing.
package target
