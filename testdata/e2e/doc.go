// Package e2e checks what a user sees: the traces of the simulated inference
// server, read back from Jaeger. run.sh starts everything and runs the tests.
package e2e
