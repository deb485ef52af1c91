package live

import (
	"context"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/sample"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Bounds on reading samples for one report: of whoever waits for an answer, and of a command. What has not been read by
// then is shown as such, and read for the next report.
const (
	samplePatience  = 10 * time.Second
	commandPatience = time.Minute
)

// sampler is a sample.Sampler that reads from the topics, and what has to be closed behind it.
func (c Config) sampler() (*sample.Sampler, *sample.Fetcher) {
	f := &sample.Fetcher{Clusters: [2]kafka.Cluster{c.Left.Cluster, c.Right.Cluster}}
	s := &sample.Sampler{Form: c.Form, Directory: c.Directory, Fetch: f.Fetch}
	for n, side := range c.sides() {
		for stream, topic := range side.side.Topics {
			f.Topics[n][stream] = topic
		}
		s.Sides[n] = sample.Side{Topics: f.Topics[n], Reader: side.side.Reader}
	}
	return s, f
}

// places are samples of which nothing has been read.
func (c Config) places(refs []compare.SampleRef) []compare.Sample {
	s, _ := c.sampler()
	var out []compare.Sample
	for _, ref := range refs {
		out = append(out, s.Places(ref))
	}
	return out
}

// samples are those that were shown last, as people may see them, so that a page that is loaded again and again does not
// read the same records again and again. All that there is in memory of them is what is shown.
type samples struct {
	turn  chan struct{}
	known map[string]compare.Sample // by encoded reference; of whoever has the turn
	reads int                       // of records, for tests
}

func newSamples() *samples { return &samples{turn: make(chan struct{}, 1)} }

// show reads what is not known. It forgets what is not asked for any more.
func (s *samples) show(ctx context.Context, c Config, refs []compare.SampleRef) []compare.Sample {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return c.places(refs)
	}
	sampler, fetcher := c.sampler()
	defer fetcher.Close()
	known := map[string]compare.Sample{}
	var out []compare.Sample
	for _, ref := range refs {
		key := string(encoded(ref))
		one, read := s.known[key]
		if !read {
			s.reads++
			one, read = sampler.Sample(ctx, ref)
		}
		if read {
			known[key] = one
		}
		out = append(out, one)
	}
	s.known = known
	return out
}
