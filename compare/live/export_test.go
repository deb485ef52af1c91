package live

// ListedMetrics are the labels of every metric in the list.
func ListedMetrics() map[string][]string {
	listed := map[string][]string{}
	for _, m := range allMetrics {
		listed[m.fullName()] = m.labels
	}
	return listed
}

// Kill ends an instance's connections at once, as the end of its process does. The context has to be ended too.
func (i *Instance) Kill() {
	if s, _ := i.session(); s != nil {
		s.wire.Cut()
	}
}

// SampleReads is how many samples have been read from the topics.
func (i *Instance) SampleReads() int {
	i.samples.turn <- struct{}{}
	defer func() { <-i.samples.turn }()
	return i.samples.reads
}

// Compared is the horizon of the report; 0 without one.
func (i *Instance) Compared() int64 {
	w := i.results.whole(0)
	if !w.Complete {
		return 0
	}
	return w.Horizon
}
