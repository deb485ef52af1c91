// Package resident tells how much memory this process has had resident, as reports of
// runs say it. Of other processes it knows nothing.
package resident

import (
	"os"
	"strconv"
	"strings"
)

// Peak is the most that the process has had resident, in bytes; 0 where the system does
// not say.
func Peak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return peakIn(string(text))
}

func peakIn(status string) int64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
