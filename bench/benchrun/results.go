package main

import (
	"encoding/json"
	"fmt"
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
	Parts      []*partsFigures    `json:"parts,omitempty"`
	Latency    []*latencyFigures  `json:"latency,omitempty"`
	Handover   []*handoverFigures `json:"handover,omitempty"`
	Flat       []*flatFigures     `json:"flat,omitempty"`
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

// of gives the spread of a figure of a contestant's drains.
func (r *results) of(name string, figure func(*figures) float64) spread {
	return spreadAmong(r.Rounds, name, figure)
}

// spreadAmong gives the spread of a figure of a contestant; no values, no spread.
func spreadAmong[F interface{ who() string }](all []F, name string, figure func(F) float64) spread {
	var values []float64
	for _, f := range all {
		if f.who() == name {
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
	files := map[string]string{"results.json": string(data) + "\n", "results.md": table}
	if len(r.Rounds) > 0 {
		files["rate.svg"] = r.plot(names)
	}
	if len(r.Latency) > 0 {
		files["latency.svg"] = r.latencyPlot(names)
	}
	for name, text := range files {
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
	fmt.Fprintf(&b, "%d orders, %d legacy records of %.0f bytes, %d partitions, %d processors, %s\n", r.Orders, r.Records, float64(r.Bytes)/float64(r.Records), r.Partitions, r.CPUs, r.Go)
	for _, part := range []func([]string) string{r.drainTable, r.partsTable, r.latencyTable, r.recoveryTable, r.handoverTable, r.flatTable, r.goalTable} {
		if text := part(names); text != "" {
			b.WriteString("\n" + text)
		}
	}
	return b.String()
}

func (r *results) drainTable(names []string) string {
	if len(r.Rounds) == 0 {
		return ""
	}
	var b strings.Builder
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
