package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// guard is a bound for what the bridge is in terms of another contestant of the same run. It is no goal: it lies where it
// got worse by far more than one run differs from another.
type guard struct {
	Figure  string  `json:"figure"` // rate, cpu or memory
	Against string  `json:"against"`
	Least   float64 `json:"least,omitempty"` // one of the two
	Most    float64 `json:"most,omitempty"`
}

var guardFigures = map[string]func(*figures) float64{"rate": rateOf, "cpu": cpuOf, "memory": memoryOf}

// readGuards reads a JSON array of guards, for these contestants.
func readGuards(path string, contestants []string) (all []guard, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) == 0 || !slices.Contains(contestants, "bridge") {
		return nil, fmt.Errorf("%s: want guards, and the bridge among the contestants", path)
	}
	for i, g := range all {
		if guardFigures[g.Figure] == nil || !slices.Contains(contestants, g.Against) || (g.Least > 0) == (g.Most > 0) {
			return nil, fmt.Errorf("%s: guard %d, %+v: want rate, cpu or memory, one of %s, and one positive bound", path, i+1, g, strings.Join(contestants, ", "))
		}
	}
	return all, nil
}

// check tells which guards do not hold.
func (r *results) check(guards []guard) error {
	var broken []error
	for _, g := range guards {
		value, got := drainRatio(g.Against, guardFigures[g.Figure])(r)
		switch {
		case !got:
			broken = append(broken, fmt.Errorf("%s ÷ %s was not measured", g.Figure, g.Against))
		case g.Least > 0 && value < g.Least:
			broken = append(broken, fmt.Errorf("%s ÷ %s is %.2f, and was to be %g at least", g.Figure, g.Against, value, g.Least))
		case g.Most > 0 && value > g.Most:
			broken = append(broken, fmt.Errorf("%s ÷ %s is %.2f, and was to be %g at most", g.Figure, g.Against, value, g.Most))
		}
	}
	return errors.Join(broken...)
}
