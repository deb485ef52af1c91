package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a bar of the median rate for each contestant, and a line from its least to its greatest.
func (r *results) plot(names []string) string {
	const left, width, height, gap = 150, 520, 22, 12
	most := 1.0
	for _, name := range names {
		most = max(most, r.of(name, rateOf).most)
	}
	at := func(v float64) float64 { return left + v/most*width }
	var b strings.Builder
	total := len(names)*(height+gap) + 40
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="Legacy records a second">`+"\n", left+width+110, total)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%d" y="20" fill="#333">legacy records a second: median, least and greatest of the rounds</text>`+"\n", 10)
	for i, name := range names {
		s, y := r.of(name, rateOf), 34+i*(height+gap)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#333">%s</text>`, left-8, y+height-6, html.EscapeString(name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y, at(s.median)-left, height, colourOf(name))
		fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#111" stroke-width="2"/>`, at(s.least), y+height/2, at(s.most))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#333">%.0f</text>`+"\n", at(s.most)+6, y+height-6, s.median)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func colourOf(name string) string {
	if name == "bridge" {
		return "#1f6feb"
	}
	return "#8a94a3"
}

// latencyPlot is a row for each contestant: a bar from the median of p50 to that of p99, a thin line on to p99.9, and a dot
// at the maximum. The scale is logarithmic.
func (r *results) latencyPlot(names []string) string {
	const left, width, height, gap, top = 150, 520, 22, 12, 34
	names = r.withLatency(names)
	least, most := float64(latencyGoal), float64(latencyGoal)
	for _, name := range names {
		least, most = min(least, r.latencyOf(name, p50Of).median), max(most, r.latencyOf(name, maxOf).median)
	}
	low, high := math.Floor(math.Log10(max(least, 0.1))), math.Ceil(math.Log10(most))
	at := func(ms float64) float64 { return left + (math.Log10(max(ms, 0.1))-low)/max(high-low, 1)*width }
	var b strings.Builder
	bottom := top + len(names)*(height+gap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img" aria-label="Latency under a fixed load">`+"\n", left+width+30, bottom+30)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" fill="#333">milliseconds from when an order is due until it is read: p50 to p99 (bar), p99.9 (line), maximum (dot)</text>`+"\n")
	for decade := low; decade <= high; decade++ {
		x := at(math.Pow(10, decade))
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#333">%g</text>`+"\n", x, x, top-4, bottom, x, bottom+18, math.Pow(10, decade))
	}
	fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#d1242f" stroke-dasharray="4 3"/><text x="%.1f" y="%d" text-anchor="middle" fill="#d1242f">goal</text>`+"\n", at(latencyGoal), at(latencyGoal), top-4, bottom, at(latencyGoal), bottom+18)
	for i, name := range names {
		y := top + i*(height+gap)
		of := func(figure func(*latencyFigures) float64) float64 { return at(r.latencyOf(name, figure).median) }
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#333">%s</text>`, left-8, y+height-6, html.EscapeString(name))
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, of(p50Of), y, max(of(p99Of)-of(p50Of), 2), height, colourOf(name))
		fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#111" stroke-width="2"/>`, of(p99Of), y+height/2, of(p999Of))
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%d" r="3" fill="#111"/>`+"\n", of(maxOf), y+height/2)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
