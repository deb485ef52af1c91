package verify

import (
	"runtime"
	"testing"
	"time"
)

// BenchmarkChecker checks a drained season in memory: records per second, and the
// memory that a slim order costs once everything is known.
func BenchmarkChecker(b *testing.B) {
	for _, e := range encodings {
		b.Run(e.edition+" "+e.format, func(b *testing.B) {
			s := seasonScene(b, 20_000, 0.05, e.edition, e.format)
			var c *Checker
			before := heap()
			b.ResetTimer()
			for b.Loop() {
				c = s.checker()
			}
			b.ReportMetric(float64(len(s.legacy)+len(s.written))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(heap()-before)/float64(c.slim[Orders].Keys), "B/order")
			runtime.KeepAlive(s)
			began := time.Now()
			defer func() { b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/evaluate") }()
			if r := c.Evaluate(time.Unix(0, 0), 0); !r.Clean {
				b.Errorf("%+v", r.Findings)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes at the second one
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
