package processors

import (
	"fmt"
	"log/slog"
	"strings"
)

// gokaLogger passes Goka's lines on at debug level: they are many, and what an
// operator can act on comes back as an error of Run.
type gokaLogger struct{ log *slog.Logger }

func (l gokaLogger) Print(args ...any) { l.debug(fmt.Sprint(args...)) }

func (l gokaLogger) Println(args ...any) { l.debug(fmt.Sprintln(args...)) }

func (l gokaLogger) Printf(format string, args ...any) { l.debug(fmt.Sprintf(format, args...)) }

func (l gokaLogger) debug(line string) { l.log.Debug(strings.TrimSpace(line), "from", "goka") }
