package capacity

import (
	"fmt"
	"strings"
)

// Plot is an SVG of a sale: how many records of the event's partition wait, and how long what arrives then will wait.
func (c Course) Plot() string {
	const left, width, height, gap = 90, 640, 170, 60
	var b strings.Builder
	last := c.Seconds[len(c.Seconds)-1].At
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="Backlog and wait of an on-sale">`+"\n", left+width+30, 2*(height+gap)+20)
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	panel := func(top int, title, unit string, most float64, y func(Second) float64) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#333">%s; at most %s</text>`+"\n", left, top-10, title, Quantity(most, unit))
		fmt.Fprintf(&b, `<path d="M%d %dV%dH%d" fill="none" stroke="#999"/>`+"\n", left, top, top+height, left+width)
		// The sale itself.
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#1f6feb" opacity="0.1"/>`+"\n", left, top, c.Sale.Length/last*width, height)
		step := max(1, len(c.Seconds)/300)
		b.WriteString(`<polyline fill="none" stroke="#1f6feb" stroke-width="2" points="`)
		for i := 0; i < len(c.Seconds); i += step {
			s := c.Seconds[i]
			value := 0.0
			if most > 0 {
				value = y(s) / most
			}
			fmt.Fprintf(&b, "%.1f,%.1f ", left+s.At/last*width, float64(top)+float64(height)*(1-value))
		}
		b.WriteString(`"/>` + "\n")
		for _, part := range []float64{0, 0.25, 0.5, 0.75, 1} {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%s</text>`+"\n", left+part*width, top+height+18, Quantity(part*last, "s"))
		}
	}
	panel(30, "records that wait in the event&#39;s partition", "records", c.MostWaiting, Second.Waiting)
	panel(30+height+gap, "how long what arrives then waits", "s", c.MostWait, func(s Second) float64 { return s.Wait })
	b.WriteString("</svg>\n")
	return b.String()
}
