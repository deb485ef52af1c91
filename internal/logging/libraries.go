package logging

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// Lines passes the lines of a library on at debug level: they are many, and what an operator can act on comes back as
// an error. It is a logger as Goka and sarama want it.
type Lines struct {
	Log  *slog.Logger
	From string // the library
	// Clean takes what is private out of errors in them; nil: nothing is.
	Clean func(error) error
}

// Print passes a line on.
func (l Lines) Print(args ...any) { l.write(func() string { return fmt.Sprint(l.cleaned(args)...) }) }

// Println passes a line on.
func (l Lines) Println(args ...any) {
	l.write(func() string { return fmt.Sprintln(l.cleaned(args)...) })
}

// Printf passes a line on.
func (l Lines) Printf(format string, args ...any) {
	l.write(func() string { return fmt.Sprintf(format, l.cleaned(args)...) })
}

func (l Lines) write(text func() string) {
	if l.Log.Enabled(context.Background(), slog.LevelDebug) {
		l.Log.Debug(strings.TrimSpace(text()), "from", l.From)
	}
}

func (l Lines) cleaned(args []any) []any {
	if l.Clean == nil {
		return args
	}
	out := slices.Clone(args) // they are the library's
	for i, arg := range out {
		if err, ok := arg.(error); ok {
			out[i] = l.Clean(err)
		}
	}
	return out
}

// sarama has one logger for the process, which must not change while a client runs.
var saramaTo atomic.Pointer[slog.Logger]

func init() { sarama.Logger = saramaLines{} }

// Sarama has the lines of all sarama clients go to log; nil drops them.
func Sarama(log *slog.Logger) { saramaTo.Store(log) }

type saramaLines struct{}

func (saramaLines) Print(args ...any) { saramaLog().Print(args...) }

func (saramaLines) Println(args ...any) { saramaLog().Println(args...) }

func (saramaLines) Printf(format string, args ...any) { saramaLog().Printf(format, args...) }

var discard = slog.New(slog.DiscardHandler)

func saramaLog() Lines {
	log := saramaTo.Load()
	if log == nil {
		log = discard
	}
	return Lines{Log: log, From: "sarama"}
}
