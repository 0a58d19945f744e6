//go:build amd64 || arm64

package wire

import (
	"time"

	"github.com/gpucause/gpucause/bpf"
	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/probe"
)

func decodeCommunicator(raw []byte, r *event.Record) error {
	var c bpf.GpucauseCommunicatorRecord
	if err := load(raw, &c); err != nil {
		return err
	}
	r.Kind = event.KindCommunicator
	r.Communicator = event.Communicator{
		Process:  event.ProcessID{PID: event.PID(c.Task.Tgid), Start: ktime.Time(c.StartBoottimeNs)},
		Task:     task(&c.Task),
		Probe:    probe.ID(c.Probe),
		At:       ktime.Time(c.AtNs),
		Serial:   event.Serial(c.Serial),
		Parent:   event.Serial(c.Parent),
		Handle:   c.Handle,
		Args:     c.Args,
		Value:    c.Value,
		Cut:      c.Cut != 0,
		Identity: c.Identity,
	}
	return nil
}

func decodeCollective(raw []byte, r *event.Record) error {
	var c bpf.GpucauseCollectiveRecord
	if err := load(raw, &c); err != nil {
		return err
	}
	r.Kind = event.KindCollective
	r.Collective = event.Collective{
		Task:       task(&c.Task),
		Probe:      probe.ID(c.Probe),
		Start:      ktime.Time(c.StartNs),
		End:        ktime.Time(c.EndNs),
		Group:      c.Group,
		Serial:     event.Serial(c.Serial),
		Operation:  c.Operation,
		Sequence:   c.Sequence,
		Args:       c.Args,
		Result:     c.Result,
		CycleStart: ktime.Time(c.CycleStartNs),
		Launches:   c.Launches,
		Captured:   c.Captured != 0,
	}
	for state, ns := range c.LedgerNs {
		r.Collective.Ledger[state] = time.Duration(ns)
	}
	return nil
}

func decodeCompletion(raw []byte, r *event.Record) error {
	var c bpf.GpucauseCompletionRecord
	if err := load(raw, &c); err != nil {
		return err
	}
	r.Kind = event.KindCompletion
	r.Completion = event.Completion{
		Task:    task(&c.Task),
		Probe:   probe.ID(c.Probe),
		Call:    c.Call,
		Start:   ktime.Time(c.StartNs),
		End:     ktime.Time(c.EndNs),
		Pending: ktime.Time(c.PendingNs),
	}
	for i, serial := range c.Serial {
		r.Completion.Completed[i] = event.Completed{Serial: event.Serial(serial), Operation: c.Operation[i]}
	}
	return nil
}
