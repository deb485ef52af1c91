package main

import (
	"strings"
	"testing"
)

func TestPartsTable(t *testing.T) {
	r := &results{}
	if text := r.partsTable([]string{"bridge"}); text != "" {
		t.Error(text)
	}
	r.Parts = []*partsFigures{
		{Contestant: "bridge", Orders: 500, IntakeCPU: 20e-6, IntakeBroker: 4e-6, GateRate: 30_000, GateCPU: 50e-6, GateBroker: 8e-6},
		{Contestant: "bridge", Orders: 500, IntakeCPU: 30e-6, IntakeBroker: 5e-6, GateRate: 20_000, GateCPU: 60e-6, GateBroker: 9e-6},
	}
	text := r.partsTable([]string{"franz", "bridge"})
	for _, want := range []string{
		" 500 orders ", "| bridge, intake alone | 25.0 (20.0 to 30.0) | 4.5 (4.0 to 5.0) | - |\n", "| bridge, the gate alone | 55.0 (50.0 to 60.0) | 8.5 (8.0 to 9.0) | 25000 (20000 to 30000) |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
