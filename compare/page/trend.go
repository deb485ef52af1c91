package page

import (
	"fmt"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// trend are two charts with one axis of time: the two shares differ by magnitudes, and two
// scales in one chart would be read wrongly.
type trend struct {
	Points []compare.TrendPoint
	Charts []chart
	First  string
	Last   string
	Thin   bool // points are marked only where the verdict changes
}

type chart struct {
	Key, Name   string
	Top, Bottom string // what the upper and the lower end of the axis are
	Alt         string
	Lines       []line
	Dots        []dot
}

// line between two points, and a dot, in percent of the chart.
type line struct{ X1, Y1, X2, Y2 string }

type dot struct {
	X, Y, Tip string
	Go        bool
}

// manyPoints is from where on a mark for each would be a carpet.
const manyPoints = 60

func lookTrend(points []compare.TrendPoint) *trend {
	if len(points) < 2 {
		return nil
	}
	t := &trend{Points: points, First: stamp(points[0].Time), Last: stamp(points[len(points)-1].Time), Thin: len(points) > manyPoints}
	least, most := 1.0, 0.0
	for _, p := range points {
		least, most = min(least, p.Coverage), max(most, p.Unexplained)
	}
	if least == 1 {
		least = 0.999
	}
	if most == 0 {
		most = 0.001
	}
	t.Charts = []chart{
		t.draw("coverage", "Coverage", least, 1, func(p compare.TrendPoint) float64 { return p.Coverage }),
		t.draw("unexplained", "Unexplained rate", 0, most, func(p compare.TrendPoint) float64 { return p.Unexplained }),
	}
	return t
}

func (t *trend) draw(key, name string, bottom, top float64, value func(compare.TrendPoint) float64) chart {
	c := chart{Key: key, Name: name, Top: percent(top), Bottom: percent(bottom)}
	last := len(t.Points) - 1
	from, span := t.Points[0].Time, t.Points[last].Time.Sub(t.Points[0].Time)
	var x, y, oldX, oldY string
	for i, p := range t.Points {
		at := float64(i) / float64(last)
		if span > 0 {
			at = float64(p.Time.Sub(from)) / float64(span)
		}
		x, y = coordinate(2+96*at), coordinate(92-84*(value(p)-bottom)/(top-bottom))
		if i > 0 {
			c.Lines = append(c.Lines, line{oldX, oldY, x, y})
		}
		oldX, oldY = x, y
		if !t.Thin || i == 0 || i == last || p.Go != t.Points[i-1].Go {
			c.Dots = append(c.Dots, dot{X: x, Y: y, Go: p.Go, Tip: fmt.Sprintf("%s: %s, %s", stamp(p.Time), percent(value(p)), word(p.Go))})
		}
	}
	c.Alt = fmt.Sprintf("%s from %s to %s: first %s, last %s; axis from %s to %s", name, t.First, t.Last,
		percent(value(t.Points[0])), percent(value(t.Points[last])), c.Bottom, c.Top)
	return c
}

func word(goes bool) string {
	if goes {
		return "GO"
	}
	return "NO-GO"
}
