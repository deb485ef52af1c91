package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Comparison is what an instance of compare run shows.
type Comparison struct {
	NotReady func() []string
	// Report and Page are the newest result; *UnavailableError as long as there is none.
	Report func(context.Context) (json.RawMessage, error)
	Page   func(context.Context) ([]byte, error)
}

// NewComparison answers for an instance of compare run, under the same rules as that of the bridge. Of the options it
// takes all but Source.
func NewComparison(o Options, c Comparison) (http.Handler, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		reasons := c.NotReady()
		sayReady(w, Readiness{Ready: len(reasons) == 0, Reasons: reasons})
	})
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.Handle("GET /report", s.answer(View, lookTime, func(ctx context.Context, _ *http.Request, _ Viewer) (any, error) { return c.Report(ctx) }))
	mux.HandleFunc("GET /report.html", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.admit(w, r, View); !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), lookTime)
		defer cancel()
		page, err := c.Page(ctx)
		if err != nil {
			s.explain(w, r, err, lookTime)
			return
		}
		sayReport(w, page)
	})
	return s.guard(mux), nil
}
