// Command vibe-bridge reads the Ticketscloud legacy streams and writes the slim
// ones.
//
// What belongs here: the commands, one per file; flags, environment, files and
// signals, which no other package reads; and what a person sees of an error.
// What does not: anything that a second program could want.
//
// main.go    run: arguments in, exit code out
// root.go    the root command and its help
// args.go    what stands on the command line beside flags
// exit.go    errors and exit codes
// bridge.go  a configuration as the bridge takes it
// connect.go the flags that name a cluster, and a client for it
// files.go   files that are written whole or not at all
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// app is what a command has of the process. Commands read nothing else of it.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string // as os.Environ

	started bool // the arguments were understood and a command runs
}

// run is the program: it takes what a process is given and returns its exit
// code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	ctx, again, stop := onSignals()
	defer stop()
	code := make(chan int, 1)
	go func() { code <- dispatch(ctx, args, &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env}) }()
	select {
	case code := <-code:
		return code
	case <-again:
		fmt.Fprintln(stderr, "vibe-bridge: told twice to stop: ended at once, with what was on its way left as it is")
		return codeFailed
	}
}

// sameRequest is how long after the first signal to stop another one is the same request. Whoever stops a process may
// signal its group as well (timeout of GNU coreutils, terminals, supervisors), and so the same process twice at once.
const sameRequest = time.Second

// onSignals returns a context that the first signal to stop ends, and a channel
// that the second one closes: the first asks, the second must not have to.
func onSignals() (ctx context.Context, again <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	twice, over := make(chan struct{}), make(chan struct{})
	go func() {
		if heedSignals(signals, over, time.Now, cancel) {
			close(twice)
		}
	}()
	return ctx, twice, func() {
		signal.Stop(signals)
		close(over)
		cancel()
	}
}

// heedSignals calls first at the first signal, and returns at the second request, or at the end of over, with false.
func heedSignals(signals <-chan os.Signal, over <-chan struct{}, now func() time.Time, first func()) (again bool) {
	var told time.Time
	for {
		select {
		case <-signals:
		case <-over:
			return false
		}
		switch at := now(); {
		case told.IsZero():
			told = at
			first()
		case at.Sub(told) >= sameRequest:
			return true
		}
	}
}

// dispatch runs the command that the arguments name, and returns its exit code.
func dispatch(ctx context.Context, args []string, a *app) int {
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return codeOK
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if !a.started {
		err = usageError(cmd, err)
	}
	fmt.Fprintf(a.stderr, "vibe-bridge: %s\n", explain(err))
	return exitCode(err)
}
