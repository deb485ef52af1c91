package config

import "fmt"

// A named topic is one that the configuration gives a name to.
type namedTopic struct {
	path string // of the key that it follows from
	name string
}

func (c Config) legacyTopics() []namedTopic {
	return []namedTopic{
		{"topics.partners", c.Topics.Partners},
		{"topics.events", c.Topics.Events},
		{"topics.orders", c.Topics.Orders},
		{"topics.refunds", c.Topics.Refunds},
	}
}

func (c Config) slimTopics() []namedTopic {
	events, orders, refunds := c.Slim.Names()
	return []namedTopic{{"slim.events", events}, {"slim.orders", orders}, {"slim.refunds", refunds}}
}

func (v *validator) topics(c Config) {
	for _, topic := range append(c.legacyTopics(), c.slimTopics()...) {
		v.topicName(topic)
	}
	v.repeated(c.legacyTopics())
	v.repeated(c.slimTopics())
	v.collisions(c, c.Overlap())
}

func (v *validator) topicName(topic namedTopic) {
	if topic.name == "." || topic.name == ".." || len(topic.name) > maxTopicBytes || !topicRule.MatchString(topic.name) {
		v.add(topic.path, `%s: want a Kafka topic name: 1 to %d of a-z, A-Z, 0-9, ".", "_" and "-"`, quote(topic.name), maxTopicBytes)
	}
}

// CheckTopics reports topics that would meet on one cluster, given which
// clusters are one: a slim topic that is a legacy one too, and topics whose
// names are reserved for the deployment's own. Load has checked it as far as
// broker addresses tell (see Overlap).
func (c Config) CheckTopics(overlap Overlap) error {
	v := &validator{}
	v.collisions(c, overlap)
	if len(v.found) > 0 {
		return &Error{Problems: v.found}
	}
	return nil
}

func (v *validator) repeated(topics []namedTopic) {
	first := make(map[string]string)
	for _, topic := range topics {
		if other, twice := first[topic.name]; twice {
			v.add(topic.path, "%s: is %s already", quote(topic.name), other)
			continue
		}
		first[topic.name] = topic.path
	}
}

func (v *validator) collisions(c Config, overlap Overlap) {
	if overlap.SourceTarget {
		v.slimOnLegacy(c)
	}
	if overlap.TargetState {
		v.reserved(c, c.slimTopics(), "set another slim.prefix or name")
	}
	if overlap.SourceState {
		v.reserved(c, c.legacyTopics(), "set another name")
	}
}

// slimOnLegacy: what the bridge writes would come back as its input.
func (v *validator) slimOnLegacy(c Config) {
	for _, topic := range c.slimTopics() {
		for _, legacy := range c.legacyTopics() {
			if topic.name == legacy.name {
				v.add(topic.path, "%s: is %s too, and source and target are one cluster: set slim.prefix or slim.suffix", quote(topic.name), legacy.path)
			}
		}
	}
}

// reserved: internal topics and group tables begin with the deployment's name
// and a dash.
func (v *validator) reserved(c Config, topics []namedTopic, remedy string) {
	prefix := c.Name + "-"
	for _, topic := range topics {
		if len(topic.name) >= len(prefix) && topic.name[:len(prefix)] == prefix {
			v.add(topic.path, "%s: %s", quote(topic.name), fmt.Sprintf("names that begin with %q are those of the deployment's internal topics on this cluster: %s", prefix, remedy))
		}
	}
}
