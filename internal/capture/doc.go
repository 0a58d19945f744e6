// Package capture loads the BPF programs, attaches them to the libraries that
// traced processes map, reads their records and pulls their counters. It is the
// only package that talks to the Linux kernel's BPF. It gives meaning to nothing.
package capture
