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

// onSignals returns a context that the first signal to stop ends, and a channel
// that the second one closes: the first asks, the second must not have to.
func onSignals() (ctx context.Context, again <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	twice, over := make(chan struct{}), make(chan struct{})
	go func() {
		for _, act := range []func(){cancel, func() { close(twice) }} {
			select {
			case <-signals:
				act()
			case <-over:
				return
			}
		}
	}()
	return ctx, twice, func() {
		signal.Stop(signals)
		close(over)
		cancel()
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
