package config

// CheckOutput validates what says how slim records look, and nothing about
// clusters: for commands that work without one.
func (c Config) CheckOutput() error {
	v := &validator{}
	v.output(c)
	if len(v.found) > 0 {
		return &Error{Problems: v.found}
	}
	return nil
}
