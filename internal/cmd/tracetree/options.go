package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/internal/cmd/tracetree/tree"
)

// options are the flags.
type options struct {
	files    []string
	top      int
	by       func(*tree.Trace) time.Duration
	summary  *regexp.Regexp // nil where any will do
	require  *regexp.Regexp
	minDepth int
	brief    bool
	style    tree.Style
}

// orders are the values of --by.
var orders = map[string]func(*tree.Trace) time.Duration{
	"duration": (*tree.Trace).Duration,
	"off-cpu":  (*tree.Trace).OffCPU,
}

func parseOptions(args []string) (*options, error) {
	o := &options{by: orders["duration"], style: tree.Style{Colour: colourful(os.Stdout)}}
	flags := flag.NewFlagSet("tracetree", flag.ContinueOnError)
	flags.Func("file", "OTLP JSON `file` to read, one message per line; may be given again", func(path string) error {
		o.files = append(o.files, path)
		return nil
	})
	flags.IntVar(&o.top, "top", 0, "show only the worst `n` traces; 0 is all")
	flags.Func("by", "what makes a trace worse: `duration` (default) or off-cpu", func(name string) (err error) {
		o.by = orders[name]
		if o.by == nil {
			err = errors.New("neither duration nor off-cpu")
		}
		return err
	})
	pattern(flags, &o.summary, "summary-match", "show only traces whose sentence matches `regexp`")
	pattern(flags, &o.require, "require", "show only traces whose printed tree matches `regexp`, and fail where none does; . matches a line's end too")
	flags.IntVar(&o.minDepth, "min-depth", 0, "show only traces at least `n` spans deep")
	flags.BoolVar(&o.brief, "brief", false, "show only the sentence of each trace")
	flags.BoolVar(&o.style.Stacks, "stacks", false, "show Linux kernel stacks")
	flags.IntVar(&o.style.Width, "width", 0, "`columns` to fill; default 120")
	flags.IntVar(&o.style.Keep, "keep", 0, "like spans beside each other to show, `n`, before the rest are folded; default 3")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.files = append(o.files, flags.Args()...)
	if len(o.files) == 0 {
		return nil, errors.New("no --file to read")
	}
	return o, nil
}

func pattern(flags *flag.FlagSet, to **regexp.Regexp, name, usage string) {
	flags.Func(name, usage, func(value string) (err error) {
		*to, err = regexp.Compile("(?s)" + value)
		return err
	})
}

// colourful reports whether a terminal reads file and wants colours
// (https://no-color.org).
func colourful(file *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (o *options) read() ([]*tree.Trace, error) {
	var batches []ptrace.Traces
	for _, path := range o.files {
		read, err := readFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		batches = append(batches, read...)
	}
	return tree.Collect(batches...), nil
}

func readFile(path string) ([]ptrace.Traces, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return tree.Read(file)
}

// choose returns the traces to show, the worst first.
func (o *options) choose(traces []*tree.Trace) ([]*tree.Trace, error) {
	chosen := make([]*tree.Trace, 0, len(traces))
	for _, t := range traces {
		if o.wants(t) {
			chosen = append(chosen, t)
		}
	}
	if o.require != nil && len(chosen) == 0 {
		return nil, fmt.Errorf("none of %d traces matches what is required", len(traces))
	}
	slices.SortStableFunc(chosen, func(a, b *tree.Trace) int { return cmp.Compare(o.by(b), o.by(a)) })
	if o.top > 0 {
		chosen = chosen[:min(o.top, len(chosen))]
	}
	return chosen, nil
}

func (o *options) wants(t *tree.Trace) bool {
	if t.Depth() < o.minDepth {
		return false
	}
	if o.summary != nil && !o.summary.MatchString(t.Summary()) {
		return false
	}
	return o.require == nil || o.require.MatchString(o.plain(t))
}

// plain is the text that --require looks at.
func (o *options) plain(t *tree.Trace) string {
	style := o.style
	style.Colour = false
	return tree.Print(t, style)
}

func (o *options) print(traces []*tree.Trace) string {
	texts := make([]string, 0, len(traces))
	if o.brief {
		for _, t := range traces {
			texts = append(texts, tree.Sentence(t, o.style))
		}
		return strings.Join(texts, "")
	}
	for _, t := range traces {
		texts = append(texts, tree.Print(t, o.style))
	}
	return strings.Join(texts, "\n")
}
