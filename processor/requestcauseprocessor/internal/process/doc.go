// Package process is the vocabulary of who is who: the traced processes, as the
// resources of the receiver's spans describe them, and the senders of request
// spans, as their resources and connections do. It compares nothing: which
// traced processes serve a sender is for package group to say.
package process
