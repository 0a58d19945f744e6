// Package event owns the vocabulary of what the Linux kernel side reports:
// decoded records, process and thread identities. It is a leaf: it decodes and
// interprets nothing.
package event
