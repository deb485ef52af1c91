package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuards(t *testing.T) {
	r := madeUp() // bridge ÷ franz: rate 0.5, cpu 4, memory 3
	for _, c := range []struct {
		guards []guard
		broken string // "": none
	}{
		{[]guard{{Figure: "rate", Against: "franz", Least: 0.49}, {Figure: "cpu", Against: "franz", Most: 4.1}, {Figure: "memory", Against: "franz", Most: 3.1}}, ""},
		{[]guard{{Figure: "rate", Against: "franz", Least: 0.51}}, "rate ÷ franz is 0.50, and was to be 0.51 at least"},
		{[]guard{{Figure: "cpu", Against: "franz", Most: 3.9}, {Figure: "memory", Against: "franz", Most: 2.9}},
			"cpu ÷ franz is 4.00, and was to be 3.9 at most\nmemory ÷ franz is 3.00, and was to be 2.9 at most"},
		{[]guard{{Figure: "cpu", Against: "kafka-streams", Most: 4}}, "cpu ÷ kafka-streams was not measured"},
	} {
		got := ""
		if err := r.check(c.guards); err != nil {
			got = err.Error()
		}
		if got != c.broken {
			t.Errorf("%+v: %q, want %q", c.guards, got, c.broken)
		}
	}
}

func TestReadGuards(t *testing.T) {
	for text, good := range map[string]bool{
		`[{"figure":"rate","against":"franz","least":1.5}]`:          true,
		`[{"figure":"rate","against":"franz","least":1,"most":2}]`:   false,
		`[{"figure":"rate","against":"franz"}]`:                      false,
		`[{"figure":"speed","against":"franz","least":1}]`:           false,
		`[{"figure":"rate","against":"nobody","least":1}]`:           false,
		`[{"figure":"rate","against":"franz","least":1,"unit":"s"}]`: false,
		`[]`: false, `{}`: false, ``: false,
	} {
		path := filepath.Join(t.TempDir(), "guard.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := configOf([]string{"-contestants", "bridge,franz", "-guard", path}, io.Discard)
		if (err == nil) != good || good && len(c.guards) != 1 {
			t.Errorf("%s: %+v, %v", text, c.guards, err)
		}
	}
	if _, err := configOf([]string{"-contestants", "franz", "-guard", "none"}, io.Discard); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// The guards that are in the repository can be read, with what `make bench-quick` measures.
func TestGuardsOfBenchQuick(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(makefile), "\nbench-quick:")
	_, who, found := strings.Cut(line, "-contestants ")
	if !found {
		t.Fatal("bench-quick names no contestants")
	}
	who, _, _ = strings.Cut(who, " ")
	if _, err := readGuards("../guard.json", strings.Split(who, ",")); err != nil {
		t.Error(err)
	}
}
