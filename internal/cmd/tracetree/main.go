// Command tracetree prints traces from OTLP JSON files as trees, for a terminal
// or as an assertion in a smoke test.
//
//	tracetree --file traces.jsonl --top 1 --by off-cpu --require 'blocked: futex'
//
// It reads what the Collector's file exporter writes, and is the one program
// outside the Collector's components that imports pdata.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "tracetree:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	traces, err := o.read()
	if err != nil {
		return err
	}
	shown, err := o.choose(traces)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, o.print(shown))
	return err
}
