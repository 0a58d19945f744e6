// Package kallsyms owns the names of the Linux kernel's functions, as
// /proc/kallsyms lists them. It knows nothing of where addresses come from.
package kallsyms
