package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ticketscloud/vibe-bridge/internal/logging"
)

// What changes something.

// acted logs an action: who, what, and what came of it. There is one at a time, on an instance: each reads a whole
// topic, and whoever waits is told so.
func (s *Server) acted(do answerer) answerer {
	return func(ctx context.Context, r *http.Request, v Viewer) (any, error) {
		if !s.acting.TryLock() {
			return nil, &UnavailableError{"another action is under way on this instance: try again when it is done"}
		}
		defer s.acting.Unlock()
		what := &action{}
		result, err := do(context.WithValue(ctx, actionKey{}, what), r, v)
		line := []any{"who", v.Name, "from", r.RemoteAddr, "path", pathOf(r), "what", short(what.text)}
		if err != nil {
			s.log.WarnContext(logging.Always(ctx), "console: action failed", append(line, "error", err)...)
			return nil, err
		}
		text, _ := json.Marshal(result) // it is said to the viewer next
		s.log.InfoContext(logging.Always(ctx), "console: action", append(line, "result", string(text))...)
		return result, nil
	}
}

type actionKey struct{}

// action is what a viewer wants done, for the log.
type action struct{ text string }

func note(ctx context.Context, text string) {
	if a, ok := ctx.Value(actionKey{}).(*action); ok {
		a.text = text
	}
}

// read takes the JSON of a request, of known fields alone.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more behind it")
		}
	}
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		return &RefusedError{"the request is not the JSON object that docs/http.md describes: " + oneLine(err.Error())}
	}
	return err
}

func (s *Server) resync(ctx context.Context, r *http.Request, _ Viewer) (any, error) {
	var o ResyncOrder
	if err := read(r, &o); err != nil {
		return nil, err
	}
	note(ctx, strings.TrimSpace(fmt.Sprintf("%s%s%s%s", named("event", o.Event), named("order", o.Order), named("since", o.Since), dry(o.DryRun))))
	switch {
	case o.Event == "" && o.Order == "" && o.Since == "":
		return nil, &RefusedError{"nothing to emit: want event, order or since"}
	case o.Since != "" && (o.Event != "" || o.Order != ""):
		return nil, &RefusedError{"since and event or order are both given: want one of them"}
	}
	return s.o.Source.Resync(ctx, o)
}

func (s *Server) resume(ctx context.Context, r *http.Request, _ Viewer) (any, error) {
	note(ctx, r.PathValue("topic"))
	return s.o.Source.Resume(ctx, r.PathValue("topic"))
}

func (s *Server) replay(ctx context.Context, r *http.Request, _ Viewer) (any, error) {
	var o ReplayOrder
	if err := read(r, &o); err != nil {
		return nil, err
	}
	note(ctx, strings.TrimSpace(fmt.Sprintf("%s%s%s%s", named("reason", o.Reason), named("topic", o.Topic), named("positions", strings.Join(o.Positions, ",")), dry(o.DryRun))))
	if o.Reason == "" && o.Topic == "" && len(o.Positions) == 0 {
		return nil, &RefusedError{"nothing to replay: want reason, topic or positions"}
	}
	for i, text := range o.Positions {
		partition, offset, ok := parsePlace(strings.Cut(text, "/"))
		if !ok {
			return nil, &RefusedError{fmt.Sprintf("positions: %q is no place: want PARTITION/OFFSET, such as 3/1041", short(text))}
		}
		o.Positions[i] = fmt.Sprintf("%d/%d", partition, offset)
	}
	return s.o.Source.Replay(ctx, o)
}

func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value + " "
}

func dry(run bool) string {
	if run {
		return "dry run"
	}
	return ""
}
