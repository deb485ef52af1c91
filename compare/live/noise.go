package live

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// NoiseOf is the noise that a report of compare once has measured, for a comparison of the same deployment and sides. An
// error says why it is of no use here.
func (c Config) NoiseOf(r *compare.Report) (*compare.Noise, error) {
	switch {
	case r.Run.Continuous:
		return nil, errors.New("it is a report of compare run: want one of compare once, which measures noise")
	case r.Deployment != c.Name:
		return nil, fmt.Errorf("it is of the deployment %q: want one of %q", r.Deployment, c.Name)
	}
	for _, side := range []struct {
		name       string
		have, want compare.Party
	}{{"left", r.Left, c.Left.party(Whole{}, 0)}, {"right", r.Right, c.Right.party(Whole{}, 1)}} {
		have, want := side.have, side.want
		if have.Kind != want.Kind || have.Edition != want.Edition || have.Format != want.Format || !slices.Equal(have.Topics, want.Topics) {
			return nil, fmt.Errorf("its %s side is %s: want %s", side.name, sideText(have), sideText(want))
		}
	}
	return r.Noise.Again()
}

func sideText(p compare.Party) string {
	text := p.Kind
	for _, more := range []string{p.Edition, p.Format} {
		if more != "" {
			text += " " + more
		}
	}
	return fmt.Sprintf("%s of %q", text, p.Topics)
}
