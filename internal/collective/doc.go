// Package collective follows the operations of NCCL on one host: which
// communicator and rank a thread acts for, in which order operations were
// issued, when the host saw them complete, and how much of a wait is certainly
// another rank's doing. It explains nothing else.
//
// It is pure and single-threaded: no I/O, no clock. Time enters as the stamps
// of records and through Advance.
package collective
