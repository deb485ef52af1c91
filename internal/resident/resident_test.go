package resident

import "testing"

func TestPeakIn(t *testing.T) {
	for status, want := range map[string]int64{
		"Name:\tx\nVmHWM:\t  9000 kB\nVmRSS:\t  2048 kB\n": 9000 << 10,
		"Name:\tx\n":          0,
		"VmHWM:\tplenty kB\n": 0,
	} {
		if got := peakIn(status); got != want {
			t.Errorf("%q: %d, want %d", status, got, want)
		}
	}
}
