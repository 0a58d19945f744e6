// Package wire owns the bytes of the ring buffer: it decodes one record into an
// event. It is the only decoder. It never keeps or changes the bytes.
package wire
