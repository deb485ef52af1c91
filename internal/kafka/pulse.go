package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// pulse is what a session knows of its member's life in the consumer group (guard G3). The client sends heartbeats
// of its own and says nothing of them: with a coordinator that it cannot reach it tries 150 times, while the
// coordinator has given the partitions to others long ago. So the tracker sends heartbeats too, on a
// connection of their own.
//
//	holds ──(no answer for half a session timeout)──▶ lapsed ──(answer)──▶ holds
//	  └───────────────┴──(the member is not known any more)──▶ lost
//
// The coordinator forgets a member one session timeout after the last heartbeat that it has had, which was sent no
// earlier than the last one that it answered. Only while a pulse holds does the group write: see Tracker.Hold. Once
// lapsed, it waits, for the coordinator may be the one that is away, and nobody else owns the partitions then.
type pulse struct {
	bound time.Duration

	mu      sync.Mutex
	heard   time.Time // when the last heartbeat that shows the member alive was sent
	calm    time.Time // when the last one was sent that shows that there is no rebalance either
	lost    bool
	changed chan struct{} // closed at the next change
}

const (
	// beatsPerSession is how many heartbeats the tracker sends in a session timeout.
	beatsPerSession = 8
	// lapseLimit is how long a group may be without a heartbeat before its instance is built anew: a broker that
	// restarts may be away for one to two minutes.
	lapseLimit = 2 * time.Minute
)

func newPulse(session time.Duration) *pulse {
	now := time.Now() // the group has just been joined
	return &pulse{bound: session / 2, heard: now, calm: now, changed: make(chan struct{})}
}

// take notes the answer to a heartbeat.
func (p *pulse) take(sent time.Time, err error, sessionOver bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.heard, p.calm = sent, sent
	case errors.Is(err, sarama.ErrRebalanceInProgress):
		// A session that goes on amid a rebalance has not noticed it, and the coordinator does not wait for ever.
		// One that has ended has the time of a clean-up, see Tracker.watchCleanup.
		if !sessionOver || !p.holdsLocked() {
			return
		}
		p.heard = sent
	case errors.Is(err, sarama.ErrUnknownMemberId), errors.Is(err, sarama.ErrIllegalGeneration), errors.Is(err, sarama.ErrFencedInstancedId):
		p.lost = true
	default:
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pulse) holdsLocked() bool { return !p.lost && time.Since(p.heard) < p.bound }

// holds tells whether the group may write, and gives a channel that is closed when that may have changed.
func (p *pulse) holds() (yes bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holdsLocked(), p.changed
}

// silence is for how long no heartbeat has shown the member alive.
func (p *pulse) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.heard)
}

// overdue is how long a clean-up that began then may go on; not more than nothing when it has to end. At a stop
// that was asked for the member is in the group until it leaves, so that the time runs only from a rebalance on. While
// the pulse has lapsed nothing is written, and there is nothing to end.
func (p *pulse) overdue(began time.Time, limit time.Duration) (left time.Duration, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calm.After(began) {
		began = p.calm
	}
	left = limit - time.Since(began)
	if left <= 0 && !p.lost && !p.holdsLocked() {
		return limit, p.changed
	}
	return left, p.changed
}

// beat sends heartbeats until the session is cleaned up.
func (t *Tracker) beat(s *trackedSession) {
	tick := time.NewTicker(t.opts.SessionTimeout / beatsPerSession)
	defer tick.Stop()
	for silent := false; !over(s.cleaned); {
		sent := time.Now()
		err := t.opts.Heartbeat(s.MemberID(), s.GenerationID())
		s.pulse.take(sent, err, s.Context().Err() != nil)
		if yes, _ := s.pulse.holds(); yes == silent && !over(s.cleaned) {
			silent = !yes
			t.tellPulse(silent, err)
		}
		if silence := s.pulse.silence(); silence > lapseLimit {
			t.Fail(&SilenceError{t.opts.Group, silence, err})
			return
		}
		select {
		case <-s.cleaned:
			return
		case <-tick.C:
		}
	}
}

func (t *Tracker) tellPulse(silent bool, err error) {
	switch {
	case t.opts.Log == nil:
	case silent:
		t.opts.Log.Warn("consumer group: no heartbeat is answered, so nothing is written until one is", "error", oneLine(fmt.Sprint(err)))
	default:
		t.opts.Log.Info("consumer group: heartbeats are answered again")
	}
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Hold waits while it is not known that the group has its partitions: whatever the group's producers write goes
// through it. It returns early when live ends.
func (t *Tracker) Hold(live context.Context) {
	for {
		s := t.session.Load()
		if s == nil || s.pulse == nil || over(s.cleaned) {
			return
		}
		yes, changed := s.pulse.holds()
		if yes {
			return
		}
		select {
		case <-changed:
		case <-s.cleaned:
		case <-live.Done():
			return
		}
	}
}

// Holds tells whether Hold would return at once.
func (t *Tracker) Holds() bool {
	s := t.session.Load()
	if s == nil || s.pulse == nil || over(s.cleaned) {
		return true
	}
	yes, _ := s.pulse.holds()
	return yes
}

// SilenceError says that no heartbeat of a group was answered for long.
type SilenceError struct {
	Group   string
	Silence time.Duration
	Err     error // of the last heartbeat; nil when that alone was answered
}

// Error implements error.
func (e *SilenceError) Error() string {
	return fmt.Sprintf("group %s: no heartbeat has been answered for %s, the last one with: %v; nothing was written meanwhile, as others may own the partitions; check that the group's coordinator is up and can be reached",
		e.Group, e.Silence.Round(time.Second), e.Err)
}

// Unwrap returns the cause.
func (e *SilenceError) Unwrap() error { return e.Err }

// heartbeatPatience is how long a heartbeat may take.
func heartbeatPatience(session time.Duration) time.Duration { return session / 4 }

// Heartbeat tells a group's coordinator that a member is alive. It has a client of its own, so that nothing
// else that is on its way holds it up, and which does not wait for long: an error is given back, not tried again.
func (a *Admin) Heartbeat(session time.Duration, group, member string, generation int32) error {
	client, err := a.heart.get(a, heartbeatPatience(session))
	if err != nil {
		return err
	}
	coordinator, err := client.Coordinator(group)
	if err != nil {
		return fmt.Errorf("find the coordinator: %w", err)
	}
	req := &sarama.HeartbeatRequest{GroupId: group, MemberId: member, GenerationId: generation, Version: heartbeatVersion(client.Config().Version)}
	resp, err := coordinator.Heartbeat(req)
	if err != nil {
		_ = coordinator.Close() // it may be closed already
		_ = client.RefreshCoordinator(group)
		return err
	}
	switch resp.Err {
	case sarama.ErrNoError:
		return nil
	case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable:
		_ = client.RefreshCoordinator(group)
	}
	return resp.Err
}

// heartbeatVersion is what the release knows of heartbeats: version 4 is the first that is flexible.
func heartbeatVersion(v sarama.KafkaVersion) int16 {
	switch {
	case v.IsAtLeast(sarama.V2_4_0_0):
		return 4
	case v.IsAtLeast(sarama.V2_3_0_0):
		return 3
	case v.IsAtLeast(sarama.V2_0_0_0):
		return 2
	}
	return 1
}

// heart is the client of heartbeats, made when the first is sent.
type heart struct {
	mu     sync.Mutex
	client sarama.Client
}

func (h *heart) get(a *Admin, patience time.Duration) (sarama.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		return h.client, nil
	}
	cfg, err := a.cluster.AdminConfig(ClientOptions{Wire: a.wire, Version: a.client.Config().Version})
	if err != nil {
		return nil, err
	}
	cfg.Net.DialTimeout = min(cfg.Net.DialTimeout, patience)
	cfg.Net.ReadTimeout, cfg.Net.WriteTimeout, cfg.Metadata.Timeout = patience, patience, patience
	cfg.Metadata.Retry.Max = 1
	cfg.Metadata.RefreshFrequency = 0
	h.client, err = sarama.NewClient(a.cluster.Brokers, cfg)
	return h.client, err
}

func (h *heart) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		h.client.Close()
	}
}
