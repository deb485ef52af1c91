package capacity

import (
	"math"
	"strconv"
	"strings"
)

// number is a figure of three digits or more, with commas: 0.0123, 1.5, 1,234.
func number(v float64) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return "no end of"
	}
	abs := math.Abs(v)
	digits := 0
	if abs > 0 && abs < 100 && v != math.Trunc(v) {
		digits = min(2-int(math.Floor(math.Log10(abs))), 9)
	}
	text := strconv.FormatFloat(v, 'f', max(digits, 0), 64)
	whole, fraction, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// plain is a figure as a flag takes it.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Quantity is a figure with a unit that fits its size. Units are those of Line, and records.
func Quantity(v float64, unit string) string {
	switch unit {
	case "bytes", "bytes/s":
		rate := strings.TrimPrefix(unit, "bytes")
		for _, u := range []struct {
			of   float64
			name string
		}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
			if math.Abs(v) >= u.of {
				return number(v/u.of) + " " + u.name + rate
			}
		}
		return number(v) + " B" + rate
	case "s":
		switch abs := math.Abs(v); {
		case abs >= 2*day:
			return number(v/day) + " days"
		case abs >= 2*hour:
			return number(v/hour) + " h"
		case abs >= 120:
			return number(v/60) + " min"
		case abs >= 1 || v == 0:
			return number(v) + " s"
		case abs >= 1e-3:
			return number(v*1e3) + " ms"
		}
		return number(v*1e6) + " µs"
	case "":
		return number(v)
	}
	text := number(v)
	if text == "1" && unit == "cores" {
		unit = "core"
	}
	return text + " " + unit
}
