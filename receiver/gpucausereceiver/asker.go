package gpucausereceiver

import (
	"context"
	"fmt"
)

// maxQuestions bounds the questions that wait, and the answers.
const maxQuestions = 256

// asker has questions answered beside the pipeline's goroutine, because an
// answer may take long. It is answered in the order of asking.
type asker[Q, A any] struct {
	answer    func(Q) (A, error)
	panicked  func(cause any) // is told when answer panics, which is no answer; nil: nobody is
	questions chan Q
	found     chan answered[Q, A]
}

type answered[Q, A any] struct {
	question Q
	answer   A
}

// newAsker returns an asker whose questions answer answers, called by one
// goroutine; nil answers none.
func newAsker[Q, A any](answer func(Q) (A, error)) *asker[Q, A] {
	return &asker[Q, A]{
		answer:    answer,
		questions: make(chan Q, maxQuestions),
		found:     make(chan answered[Q, A], maxQuestions),
	}
}

// ask asks a question. Where too many wait it returns false: ask again.
func (a *asker[Q, A]) ask(question Q) bool {
	select {
	case a.questions <- question:
		return true
	default:
		return false
	}
}

// answers calls visit for what has been answered since. What has no answer is not there.
func (a *asker[Q, A]) answers(visit func(Q, A)) {
	for {
		select {
		case got := <-a.found:
			visit(got.question, got.answer)
		default:
			return
		}
	}
}

// run answers until ctx ends.
func (a *asker[Q, A]) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case question := <-a.questions:
			a.try(ctx, question)
		}
	}
}

func (a *asker[Q, A]) try(ctx context.Context, question Q) {
	if a.answer == nil {
		return
	}
	answer, err := a.safely(question)
	if err != nil {
		return
	}
	select {
	case a.found <- answered[Q, A]{question, answer}:
	case <-ctx.Done():
	}
}

// safely answers: what is asked about is hostile, and a defect must cost one answer only.
func (a *asker[Q, A]) safely(question Q) (answer A, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
			if a.panicked != nil {
				a.panicked(cause)
			}
		}
	}()
	return a.answer(question)
}
