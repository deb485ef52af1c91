package check

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var promqlBlock = regexp.MustCompile("(?ms)^ *```promql\n(.*?)^ *```")

// TestRunbookQueries: whoever is on call copies them as they stand, a line each.
func TestRunbookQueries(t *testing.T) {
	known := metrics(t)
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, block := range promqlBlock.FindAllStringSubmatch(string(text), -1) {
		for _, query := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			queries++
			if fault := queryFault(query, known); fault != "" {
				t.Errorf("%s: %s", query, fault)
			}
		}
	}
	if queries < 10 {
		t.Errorf("%d queries were found", queries)
	}
}
