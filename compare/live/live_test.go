package live_test

import "github.com/ticketscloud/vibe-bridge/compare"

// clean: nothing differs, and nothing waits.
func (w *world) clean(r *compare.Report) {
	w.t.Helper()
	for _, s := range r.Streams {
		w.t.Logf("%+v", s)
		if s.Different != 0 || s.Coverage != 1 || s.Equal == 0 {
			w.t.Errorf("%s: %d differ, coverage %v, %d equal: %+v", s.Stream, s.Different, s.Coverage, s.Equal, s)
		}
	}
	if !r.Verdict.Go {
		w.t.Errorf("verdict: %+v", r.Verdict)
	}
}
