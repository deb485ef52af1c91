package live

// Kill ends an instance's connections at once, as the end of its process does. The context has to be ended too.
func (i *Instance) Kill() {
	if s, _ := i.session(); s != nil {
		s.wire.Cut()
	}
}

// Compared is the horizon of the report; 0 without one.
func (i *Instance) Compared() int64 {
	w := i.results.whole(0)
	if !w.Complete {
		return 0
	}
	return w.Horizon
}
