package processors

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// gokaLogger passes Goka's lines on at debug level: they are many, and what an
// operator can act on comes back as an error of Run. Errors in them tell of
// records by their keys, which are taken out.
type gokaLogger struct{ log *slog.Logger }

func (l gokaLogger) Print(args ...any) { l.debug(fmt.Sprint(keyless(args)...)) }

func (l gokaLogger) Println(args ...any) { l.debug(fmt.Sprintln(keyless(args)...)) }

func (l gokaLogger) Printf(format string, args ...any) {
	l.debug(fmt.Sprintf(format, keyless(args)...))
}

func keyless(args []any) []any {
	out := slices.Clone(args) // they are Goka's
	for i, arg := range out {
		if err, ok := arg.(error); ok {
			out[i] = withoutKeys(err)
		}
	}
	return out
}

func (l gokaLogger) debug(line string) { l.log.Debug(strings.TrimSpace(line), "from", "goka") }
