package processors

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/lovoo/goka"
)

// Errors and log lines never hold anything of a record: a legacy key may be a
// phone number. Goka prints the keys of records that fail, and what a callback
// panics with; here both are taken out again.

// cleanError says the same as its cause, without what is private.
type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }

// callbackFailure is what Goka is told of a callback that has panicked with v: at
// which record, why, and where. It is called while the panic is recovered.
//
// Goka fails a callback by a panic too, with the error that ctx.Fail was given or
// with one of its own. Those of this program hold nothing private. Any other panic
// may hold anything, unless it is the Go runtime's.
func callbackFailure(ctx goka.Context, v any) error {
	record := fmt.Sprintf("%s/%d/%d: ", ctx.Topic(), ctx.Partition(), ctx.Offset())
	function, line := panicPlace()
	err, _ := v.(error)
	if err != nil && strings.HasPrefix(function, gokaPackage) {
		return &cleanError{record + withoutKey(err.Error(), ctx.Key()), err}
	}
	what := fmt.Sprintf("a value of type %T", v)
	if runtimeError, ok := v.(runtime.Error); ok {
		what = runtimeError.Error()
	}
	return &cleanError{record + fmt.Sprintf("panic in %s (%s): %s", function, line, what), err}
}

const gokaPackage = "github.com/lovoo/goka."

// withoutKey takes the key out of the errors of Goka's context.
func withoutKey(text, key string) string {
	text = strings.Replace(text, "error deleting key ("+key+") from storage", "error deleting a key from storage", 1)
	return strings.Replace(text, "error encoding message for key "+key+":", "error encoding a message:", 1)
}

// panicPlace is where the panic began that is being recovered.
func panicPlace() (function, line string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		if panicking && !strings.HasPrefix(f.Function, "runtime.") {
			return f.Function, fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
		panicking = panicking || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown function", "unknown line"
		}
	}
}

// What Goka writes around the key of a record whose emits, or their commit, failed.
const beforeKey, afterKey = "could not commit message with key '", "': "

// withoutKeys is an error of Goka's without the keys in it, on one line as far as
// its causes are. One that thousands of records share is said once.
func withoutKeys(err error) error {
	if err == nil {
		return nil
	}
	return &cleanError{strings.Join(causes(err), "; "), err}
}

// causes are the texts of all that is joined in err, each once.
func causes(err error) []string {
	if many, ok := err.(interface{ WrappedErrors() []error }); ok { // Goka's way to join
		var texts []string
		for _, one := range many.WrappedErrors() {
			for _, text := range causes(one) {
				if !slices.Contains(texts, text) {
					texts = append(texts, text)
				}
			}
		}
		return texts
	}
	inner := errors.Unwrap(err)
	if inner == nil || isClean(err) {
		return []string{withoutKeyedPart(err.Error())}
	}
	before, after := around(err.Error(), inner.Error())
	texts := causes(inner)
	for i := range texts {
		texts[i] = withoutKeyedPart(before) + texts[i] + withoutKeyedPart(after)
	}
	return texts
}

// around is what an error says before and after its cause: nothing, where it says the cause in other words or a
// stack follows.
func around(text, inner string) (before, after string) {
	at := strings.LastIndex(text, inner)
	if at < 0 || strings.Contains(text[at+len(inner):], "\n") {
		return "", ""
	}
	return text[:at], text[at+len(inner):]
}

func isClean(err error) bool {
	_, ok := err.(*cleanError)
	return ok
}

// withoutKeyedPart cuts a key out. It ends no later than at the last of what Goka
// writes behind it, whatever the key holds itself.
func withoutKeyedPart(text string) string {
	before, rest, found := strings.Cut(text, beforeKey)
	if !found {
		return text
	}
	end := strings.LastIndex(rest, afterKey)
	if end < 0 {
		return before + "could not commit a message"
	}
	return before + "could not commit a message: " + rest[end+len(afterKey):]
}
