// Package hoststub names the host function at an address of a process, by the
// symbols of the file that is mapped there. To the CUDA runtime such an address
// is a launched function's handle; its symbol is the GPU function's name.
package hoststub
