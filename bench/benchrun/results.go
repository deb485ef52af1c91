package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// results are those of a run.
type results struct {
	Orders     int                `json:"orders"`
	Seed       uint64             `json:"seed"`
	Records    int64              `json:"legacy_records"`
	Bytes      int64              `json:"legacy_bytes"`
	Partitions int                `json:"partitions"`
	CPUs       int                `json:"cpus"`
	Go         string             `json:"go"`
	Slim       shape              `json:"shape"`
	Rounds     []*figures         `json:"rounds"`
	Recovery   []*recoveryFigures `json:"recovery,omitempty"`
	Latency    []*latencyFigures  `json:"latency,omitempty"`
	Handover   []*handoverFigures `json:"handover,omitempty"`
}

// spread is the median of some values, the least and the greatest.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return spread{}
	}
	return spread{(v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[0], v[len(v)-1]}
}

// of gives the spread of a figure of a contestant.
func (r *results) of(name string, figure func(*figures) float64) spread {
	var values []float64
	for _, f := range r.Rounds {
		if f.Contestant == name {
			values = append(values, figure(f))
		}
	}
	return spreadOf(values)
}

func rateOf(f *figures) float64      { return f.Rate }
func memoryOf(f *figures) float64    { return f.PeakMiB }
func brokerCPUOf(f *figures) float64 { return f.BrokerCPU }
func cpuOf(f *figures) float64       { return f.CPU }

// perMillion is a figure for a million legacy records.
func (r *results) perMillion(figure func(*figures) float64) func(*figures) float64 {
	return func(f *figures) float64 { return figure(f) / float64(r.Records) * 1e6 }
}

// write leaves the results in a folder, and the table with w.
func (r *results) write(dir string, names []string, w io.Writer) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	table := r.table(names)
	for name, text := range map[string]string{"results.json": string(data) + "\n", "results.md": table, "rate.svg": r.plot(names)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err = fmt.Fprint(w, "\n", table)
	return err
}

// table is Markdown: medians, and in brackets the least and the greatest.
func (r *results) table(names []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d orders, %d legacy records of %.0f bytes, %d partitions, %d processors, %s\n\n", r.Orders, r.Records, float64(r.Bytes)/float64(r.Records), r.Partitions, r.CPUs, r.Go)
	b.WriteString("| | records/s | CPU s per 1,000,000 records | broker's | peak MiB | rate ÷ franz |\n|---|---|---|---|---|---|\n")
	floor := r.of("franz", rateOf).median
	for _, name := range names {
		ratio := "-"
		if floor > 0 {
			ratio = fmt.Sprintf("%.2f", r.of(name, rateOf).median/floor)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name, cell(r.of(name, rateOf), 0), cell(r.of(name, r.perMillion(cpuOf)), 1),
			cell(r.of(name, r.perMillion(brokerCPUOf)), 1), cell(r.of(name, memoryOf), 0), ratio)
	}
	if lines := r.ratios(names); len(lines) > 0 {
		b.WriteString("\n| bridge ÷ | rate | CPU | peak memory |\n|---|---|---|---|\n" + strings.Join(lines, ""))
	}
	return b.String()
}

func cell(s spread, digits int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.median, digits, s.least, digits, s.most)
}

// ratios hold the bridge against each of the others.
func (r *results) ratios(names []string) (lines []string) {
	own := func(figure func(*figures) float64) float64 { return r.of("bridge", figure).median }
	if own(rateOf) == 0 {
		return nil
	}
	for _, name := range names {
		if name != "bridge" {
			lines = append(lines, fmt.Sprintf("| %s | %.2f | %.2f | %.2f |\n", name, own(rateOf)/r.of(name, rateOf).median, own(cpuOf)/r.of(name, cpuOf).median, own(memoryOf)/r.of(name, memoryOf).median))
		}
	}
	return lines
}

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
		colour := "#8a94a3"
		if name == "bridge" {
			colour = "#1f6feb"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#333">%s</text>`, left-8, y+height-6, html.EscapeString(name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y, at(s.median)-left, height, colour)
		fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="#111" stroke-width="2"/>`, at(s.least), y+height/2, at(s.most))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#333">%.0f</text>`+"\n", at(s.most)+6, y+height-6, s.median)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
