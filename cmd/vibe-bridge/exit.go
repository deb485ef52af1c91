package main

import (
	"errors"
	"fmt"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Exit codes. They are part of the help of the root command.
const (
	codeOK      = 0
	codeFailed  = 1 // it started and then failed
	codeRefused = 2 // it could not start: arguments, configuration, files, a cluster out of reach
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

// usageError is refuse with a pointer to the help.
func usageError(err error) error {
	return refuse(fmt.Errorf("%w; see vibe-bridge --help", err))
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

// explain says an error to a person: on one line, except for a configuration
// with several problems.
func explain(err error) string {
	var unreachable *kafka.ConnectError
	if errors.As(err, &unreachable) {
		return kafka.Explain(err)
	}
	return err.Error()
}
