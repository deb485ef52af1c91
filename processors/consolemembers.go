package processors

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Instances find each other through the gate's consumer group: each says there where its console is. That is read
// from the brokers, and believed as far as whoever may join the group is believed with partitions.

// memberData is what an instance says in the group.
type memberData struct {
	Instance string    `json:"instance"`
	URL      string    `json:"url"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
}

func (b *Bridge) memberData() []byte {
	data, err := json.Marshal(memberData{b.cfg.self.id, b.cfg.ConsoleURL, b.cfg.Version, b.cfg.self.started})
	if err != nil {
		panic("encode what an instance says of itself: " + err.Error()) // it has texts and a time of now
	}
	return data
}

// mostMemberData bounds what is read of it.
const mostMemberData = 4 << 10

// readMember takes what a member says: nothing of one of an older version, or of none of ours.
func readMember(data []byte) (m memberData) {
	if len(data) == 0 || len(data) > mostMemberData || json.Unmarshal(data, &m) != nil {
		return memberData{}
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		m.URL = ""
	}
	m.Started = writable(m.Started)
	return m
}

// seenMember is a member of the gate's group.
type seenMember struct {
	memberData
	id         string
	partitions []int32
}

// membersSeen is what the brokers said last. Somebody who looks waits for a new answer for a moment and takes the
// last one then: brokers that hang must not keep the page from being shown.
type membersSeen struct {
	mu         sync.Mutex
	members    []seenMember
	unassigned []console.Partitions
	at         time.Time // of the answer
	err        error     // of the last look
	looking    chan struct{}
}

const (
	membersAge     = 2 * time.Second
	membersTime    = time.Second
	membersForget  = time.Minute // when what was seen says nothing any more
	membersUnknown = "which instances there are is not known yet"
)

func (c *Console) seenMembers(ctx context.Context) (members []seenMember, unassigned []console.Partitions, err error) {
	s := &c.members
	s.mu.Lock()
	if time.Since(s.at) >= membersAge && s.looking == nil {
		if b, g, err := c.running(); err != nil {
			s.err = err
		} else {
			done := make(chan struct{})
			s.looking = done
			go func() { // until the brokers have answered, or the bridge has ended
				defer close(done)
				s.look(b, g)
			}()
		}
	}
	looking := s.looking
	s.mu.Unlock()
	if looking != nil {
		patience := time.NewTimer(membersTime)
		defer patience.Stop()
		select {
		case <-looking:
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) > membersForget {
		if s.err == nil {
			return nil, nil, &console.UnavailableError{Text: membersUnknown}
		}
		return nil, nil, s.err
	}
	return s.members, s.unassigned, nil
}

func (s *membersSeen) look(b *Bridge, g *group) {
	members, unassigned, stable, err := b.lookAtGroups(g)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking = nil
	if s.err = err; err != nil || !stable { // in a rebalance nobody says anything: what was seen before is nearest
		return
	}
	s.members, s.unassigned, s.at = members, unassigned, time.Now()
}

func (b *Bridge) lookAtGroups(gate *group) (members []seenMember, unassigned []console.Partitions, stable bool, err error) {
	_, tables := b.topics.Groups()
	states, err := gate.admin.GroupStates(tables...)
	if err != nil {
		return nil, nil, false, err
	}
	state := states[string(gate.name)]
	for _, m := range state.Members {
		members = append(members, seenMember{readMember(m.Data), m.ID, partitionsOf(m)})
	}
	slices.SortFunc(members, func(a, b seenMember) int { return compareText(a.URL+" "+a.id, b.URL+" "+b.id) })
	for _, name := range tables {
		unassigned = appendUnassigned(unassigned, name, b.cfg.Settings.Partitions, states[name])
	}
	return members, append(unassigned, b.unassignedIntake()...), state.Stable, nil
}

// unassignedIntake looks at the groups on the source cluster. What cannot be read there is left out: /readyz and the
// log say it.
func (b *Bridge) unassignedIntake() (unassigned []console.Partitions) {
	for _, g := range b.groups() {
		for _, s := range mapping.Streams {
			if g.name != b.topics.intakeGroup(s) {
				continue
			}
			partitions, err := g.admin.Partitions(b.topics.Legacy[s])
			if err != nil {
				return nil
			}
			states, err := g.admin.GroupStates(string(g.name))
			if err != nil {
				return nil
			}
			unassigned = appendUnassigned(unassigned, string(g.name), int32(len(partitions)), states[string(g.name)])
		}
	}
	return unassigned
}

func appendUnassigned(list []console.Partitions, group string, partitions int32, state kafka.GroupState) []console.Partitions {
	if !state.Stable {
		return list
	}
	free := map[int32]bool{}
	for p := range partitions {
		free[p] = true
	}
	for _, m := range state.Members {
		for _, p := range partitionsOf(m) {
			delete(free, p)
		}
	}
	if len(free) == 0 {
		return list
	}
	return append(list, console.Partitions{Group: group, Partitions: slices.Sorted(maps.Keys(free))})
}

// partitionsOf are those that a member has. It has the same ones of all topics of its group.
func partitionsOf(m kafka.GroupMember) []int32 {
	has := map[int32]bool{}
	for _, partitions := range m.Assigned {
		for _, p := range partitions {
			has[p] = true
		}
	}
	return slices.Sorted(maps.Keys(has))
}

// Peers are the other instances.
func (c *Console) Peers(ctx context.Context) ([]console.Peer, error) {
	members, _, err := c.seenMembers(ctx)
	if err != nil {
		return nil, err
	}
	cfg := c.config()
	var peers []console.Peer
	for _, m := range members {
		if m.Instance != cfg.self.id {
			peers = append(peers, cfg.peer(m))
		}
	}
	return peers, nil
}

// peer is a member as it can be asked. One at this instance's own address is another one: a loopback address, say.
func (cfg Config) peer(m seenMember) console.Peer {
	p := console.Peer{ID: m.id, URL: m.URL, Partitions: m.partitions}
	switch {
	case m.URL == "":
		p.Why = "it does not say where its console is: http.listen is not set there, or it is of an older version"
	case m.URL == cfg.ConsoleURL:
		p.URL, p.Why = "", "it says that it is at "+m.URL+", as this one is: set http.advertise there"
	}
	return p
}

// instances are this one, with what it knows of itself, and the others, with their names.
func (c *Console) instances(ctx context.Context) ([]console.Instance, []console.Partitions) {
	cfg := c.config()
	started := cfg.self.started
	self := console.Instance{URL: cfg.ConsoleURL, Self: true, Reachable: true, Version: cfg.Version, Started: &started, Reasons: []string{}, Groups: c.groups()}
	ready := c.Ready()
	self.Ready, self.Reasons = ready.Ready, append(self.Reasons, ready.Reasons...)
	members, unassigned, err := c.seenMembers(ctx)
	if err != nil {
		self.Reasons = append(self.Reasons, "other instances are not seen: "+err.Error())
	}
	list := []console.Instance{self}
	for _, m := range members {
		if m.Instance == cfg.self.id {
			list[0].ID = m.id
			continue
		}
		other := console.Instance{ID: m.id, URL: m.URL, Version: m.Version, Reasons: []string{}, Groups: []console.Group{}}
		if why := cfg.peer(m).Why; why != "" {
			other.Reasons = append(other.Reasons, why)
		}
		if !m.Started.IsZero() {
			at := m.Started
			other.Started = &at
		}
		list = append(list, other)
	}
	if unassigned == nil {
		unassigned = []console.Partitions{}
	}
	return list, unassigned
}

// groups are the partitions of this instance.
func (c *Console) groups() []console.Group {
	groups := []console.Group{}
	b, _ := c.current()
	if b == nil {
		return groups
	}
	for _, g := range b.groups() {
		groups = append(groups, console.Group{Group: string(g.name), Partitions: g.partitionStates()})
	}
	return groups
}

// partitionStates are those that the group has in the present session.
func (g *group) partitionStates() []console.Partition {
	table := g.b.topics.stageOf(string(g.name)) != "intake"
	has := map[int32]bool{}
	for _, p := range g.tracker.Assigned() {
		has[p.Partition] = true
	}
	states := []console.Partition{}
	for _, p := range slices.Sorted(maps.Keys(has)) {
		state := console.Partition{Partition: p, State: console.Running}
		if table {
			state.State = console.Connecting
			if f := g.fence(p); f != nil {
				all, left, restoring := f.restoring()
				state.State, state.Restored, state.Total = console.Recovering, all-left, all
				if !restoring {
					state = console.Partition{Partition: p, State: console.Running}
				}
			}
		}
		states = append(states, state)
	}
	return states
}
