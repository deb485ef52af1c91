package steady

import (
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	// 100 slim records, of 120 legacy ones: 10 a second, after a second in which nothing happens.
	began := time.Unix(1_700_000_000, 0)
	var seen []Sample
	for i := range 11 {
		seen = append(seen, Sample{
			At: began.Add(time.Duration(i+1) * time.Second), Written: 1000 + float64(10*i), CPU: time.Duration(i) * 600 * time.Millisecond, Broker: time.Duration(i) * 120 * time.Millisecond,
		})
	}
	seen[0].At = began.Add(-time.Minute) // it took a while until the first came
	rate, cpu, broker, err := Of(seen, 120)
	if err != nil || rate < 11.99 || rate > 12.01 || cpu < 0.0499 || cpu > 0.0501 || broker < 0.0099 || broker > 0.0101 {
		t.Errorf("%v records/s, %v and %v s a record, %v", rate, cpu, broker, err)
	}
	for _, few := range [][]Sample{nil, seen[:1], {seen[0], seen[10]}} {
		if rate, _, _, err := Of(few, 120); err == nil {
			t.Errorf("%d samples: %v records/s", len(few), rate)
		}
	}
}
