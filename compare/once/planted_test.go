package once_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/planted/found"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// Every kind of fault is found, under its category and field, and nothing else is. make
// compare-planted is the long form.
func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	base := newBase(t, season.Config{Orders: 3000, Events: 1000, Seed: 1, Hostile: 0.05})
	if _, wrong, err := base.Clean(t.Context()); err != nil || len(wrong) > 0 {
		t.Fatalf("as it is: %q, %v", wrong, err)
	}
	for _, kind := range planted.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			const each = 4
			o, err := base.Kind(t.Context(), kind, each, 1)
			if err != nil {
				t.Fatal(err)
			}
			if o.Planted != each || o.Found != each || o.False > 0 || len(o.Wrong) > 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// In a season with a lot of trouble nothing is found that is not there.
func TestNothingIsFoundInTrouble(t *testing.T) {
	t.Parallel()
	r, wrong, err := newBase(t, season.Config{Orders: 1500, Seed: 2, Hostile: 0.2}).Clean(t.Context())
	if err != nil || len(wrong) > 0 {
		t.Errorf("%q, %v", wrong, err)
	}
	for name, s := range r.Totals.Streams {
		if s.Equal == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func newBase(t *testing.T, c season.Config) *found.Base {
	t.Helper()
	s, err := planted.New(c, found.Encoding)
	if err != nil {
		t.Fatal(err)
	}
	base, err := found.NewBase(s, vfs.NewMem(), "rows")
	if err != nil {
		t.Fatal(err)
	}
	return base
}
