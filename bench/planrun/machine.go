package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
)

// describe says what is measured, and where.
func (b *bench) describe(ctx context.Context) (capacity.Measured, error) {
	m := capacity.Measured{
		Go: runtime.Version(), Provisional: b.provisional, Partitions: b.partitions,
		Machine: capacity.Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH},
	}
	cpus, _ := os.ReadFile("/proc/cpuinfo") // not everywhere
	memory, _ := os.ReadFile("/proc/meminfo")
	m.Machine.CPU, m.Machine.GiB = cpuModel(string(cpus)), gibOf(string(memory))
	pom, err := os.ReadFile(b.root + "/deploy/kafka/pom.xml")
	if err != nil {
		return m, err
	}
	if m.Kafka, err = kafkaVersion(string(pom)); err != nil {
		return m, err
	}
	git := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD")
	git.Dir = b.root
	commit, err := git.Output()
	if err != nil { // a copy without history
		return m, nil
	}
	m.Commit = strings.TrimSpace(string(commit))
	return m, nil
}

func lineOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, is := strings.Cut(line, ":"); is && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func cpuModel(cpuinfo string) string {
	if model := lineOf(cpuinfo, "model name"); model != "" {
		return model
	}
	return "unknown"
}

func gibOf(meminfo string) float64 {
	kib, _ := strconv.ParseFloat(strings.TrimSuffix(lineOf(meminfo, "MemTotal"), " kB"), 64)
	return float64(int(kib/(1<<20)*10)) / 10
}

var versionTag = regexp.MustCompile(`<kafka\.version>([^<]+)</kafka\.version>`)

func kafkaVersion(pom string) (string, error) {
	found := versionTag.FindStringSubmatch(pom)
	if found == nil {
		return "", fmt.Errorf("deploy/kafka/pom.xml names no kafka.version")
	}
	return found[1], nil
}

func write(path string, m capacity.Measured) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
