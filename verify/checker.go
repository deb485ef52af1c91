package verify

// Checker is temporary.
type Checker struct {
	rules    *rules
	partners map[string]*partner
	events   map[string]*event
}

func (c *Checker) partner(id string) *partner { return c.partners[id] }
func (c *Checker) event(id string) *event     { return c.events[id] }
