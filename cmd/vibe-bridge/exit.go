package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Exit codes. They are part of the help of the root command.
const (
	codeOK      = 0
	codeFailed  = 1 // it started and then failed
	codeRefused = 2 // it could not start: arguments, configuration, files; a cluster out of reach, but for run, which waits
	codeChecks  = 3 // it ran, and what it checked is not as it should be
)

// codedError is an error with an exit code of its own.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// refuse makes err end the program with codeRefused.
func refuse(err error) error { return &codedError{code: codeRefused, err: err} }

func refusef(format string, args ...any) error { return refuse(fmt.Errorf(format, args...)) }

// usageError is refuse with a pointer to the help of the command.
func usageError(cmd *cobra.Command, err error) error {
	return refuse(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
}

func exitCode(err error) int {
	if err == nil {
		return codeOK
	}
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	var faulty *config.Error
	var unreachable *kafka.ConnectError
	if errors.As(err, &faulty) || errors.As(err, &unreachable) {
		return codeRefused
	}
	return codeFailed
}

// explain says an error to a person, on one line: what happened, to what, and
// what to do.
func explain(err error) string {
	text := err.Error()
	var faulty *config.Error
	var mismatch *kafka.MismatchError
	var identity *kafka.IdentityError
	switch {
	case errors.As(err, &faulty):
		text = strings.Replace(text, faulty.Error(), allProblems(faulty), 1)
	case errors.As(err, &mismatch):
		text = strings.Replace(text, mismatch.Error(), firstDifference(mismatch), 1)
	case errors.As(err, &identity):
		text = strings.Replace(text, identity.Error(), identity.Short(), 1)
	}
	return kafka.Explain(&saidError{err, firstOf(text)})
}

// saidError is an error in other words.
type saidError struct {
	err  error
	text string
}

func (e *saidError) Error() string { return e.text }
func (e *saidError) Unwrap() error { return e.err }

// allProblems keeps every problem: whoever edits a file wants to do it once.
func allProblems(e *config.Error) string {
	if len(e.Problems) == 1 {
		return e.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems:", len(e.Problems))
	for i, p := range e.Problems {
		fmt.Fprintf(&b, " (%d) %s", i+1, p)
	}
	return b.String()
}

// firstDifference leaves the others to a plan: one wrong number makes a dozen
// topics differ in the same way.
func firstDifference(e *kafka.MismatchError) string {
	text := e.Lines[0]
	if more := len(e.Lines) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s: `vibe-bridge topics plan` lists them)", count(more, "more difference"))
	}
	return text
}

// firstOf is the first of several joined errors, and how many follow it.
func firstOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	first, rest := lines[0], lines[1:]
	if strings.HasSuffix(first, ":") && len(rest) > 0 { // a heading says nothing
		first, rest = first+" "+strings.TrimSpace(rest[0]), rest[1:]
	}
	if len(rest) == 0 {
		return first
	}
	return fmt.Sprintf("%s (and %d more)", first, len(rest))
}

// count is "1 topic" or "2 topics".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
