// Package probesite decides which instruction of a function to probe, and why,
// and finds the functions of the probe catalogue in ELF files. It attaches
// nothing.
package probesite
