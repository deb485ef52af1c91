package console

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Other instances. Each is asked in the viewer's name, so that it decides itself what it shows; and once: what it is
// asked it answers from what it has.

const (
	forwardedHeader = "X-Vibe-Bridge-Forwarded"

	overviewTime = 1500 * time.Millisecond // of another instance
	storyTime    = 10 * time.Second
	mostAnswer   = 16 << 20
)

func isForwarded(r *http.Request) bool { return r.Header.Get(forwardedHeader) != "" }

// newClient follows no redirects: a token goes where it is sent and nowhere else.
func newClient(conf *tls.Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.Proxy = conf, nil // instances reach each other by themselves
	t.MaxIdleConnsPerHost = 4
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask has another instance answer a path, into what.
func (s *Server) ask(ctx context.Context, p Peer, path, authorization string, limit time.Duration, what any) error {
	if p.URL == "" {
		return &UnavailableError{fmt.Sprintf("instance %s cannot be asked: %s", p.ID, p.Why)}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.URL, "/")+path, nil)
	if err != nil {
		return &UnavailableError{fmt.Sprintf("instance %s says an address that is none: set http.advertise there", p.ID)}
	}
	r.Header.Set(forwardedHeader, "1")
	if token, has := credentials(authorization, "Bearer"); has {
		r.Header.Set("Authorization", prove(token, p.URL, path, time.Now()))
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return &UnavailableError{fmt.Sprintf("instance %s does not answer: %s", p.URL, whyNot(err, limit))}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return &UnavailableError{fmt.Sprintf("instance %s does not answer: %s", p.URL, whyNot(err, limit))}
	}
	return understand(p, answer.StatusCode, body, what)
}

func understand(p Peer, status int, body []byte, what any) error {
	var failure Failure
	if status != http.StatusOK {
		_ = json.Unmarshal(body, &failure) // without a reason the status has to do
	}
	reason := cmp.Or(failure.Error, http.StatusText(status))
	switch status {
	case http.StatusOK:
		if err := json.Unmarshal(body, what); err != nil {
			return &UnavailableError{fmt.Sprintf("instance %s answers in another way: it may be of another version", p.URL)}
		}
		return nil
	case http.StatusNotFound:
		if failure.Error == "" {
			return &UnavailableError{fmt.Sprintf("instance %s has no console: it may be of an older version", p.URL)}
		}
		return &NotFoundError{reason}
	case http.StatusBadRequest:
		return &RefusedError{reason}
	case http.StatusUnauthorized, http.StatusForbidden:
		return &UnavailableError{fmt.Sprintf("instance %s refuses what this one takes (%s): give all instances the same tokens and the same version", p.URL, reason)}
	}
	return &UnavailableError{reason}
}

func whyNot(err error, limit time.Duration) string {
	var of *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "not within " + limit.String()
	case errors.As(err, &of):
		return oneLine(of.Err.Error()) // without the path, which names what was asked for
	}
	return oneLine(err.Error())
}

// each asks all other instances at once and gives their answers, in order.
func each[T any](peers []Peer, ask func(Peer) (T, error)) (answers []T, errs []error) {
	answers, errs = make([]T, len(peers)), make([]error, len(peers))
	var running sync.WaitGroup
	for i, p := range peers {
		running.Go(func() { answers[i], errs[i] = ask(p) })
	}
	running.Wait()
	return answers, errs
}

// sharedOverview is asked for once, for all that look at the same time.
type sharedOverview struct {
	mu   sync.Mutex
	at   time.Time
	last Overview
}

const overviewAge = time.Second

func (c *sharedOverview) get(ctx context.Context, look func(context.Context) (Overview, error)) (Overview, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < overviewAge {
		return c.last, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime) // the next viewer wants it too
	defer cancel()
	o, err := look(ctx)
	if err != nil {
		return Overview{}, err
	}
	c.last, c.at = o, time.Now()
	return o, nil
}

// overviewOfAll puts together what the instances say of themselves.
func (s *Server) overviewOfAll(ctx context.Context, authorization string) (Overview, error) {
	peers, _ := s.o.Source.Peers(ctx) // what keeps them from being found is in the overview
	var own Overview
	var err error
	var running sync.WaitGroup
	running.Go(func() { own, err = s.o.Source.Overview(ctx) })
	others, errs := each(peers, func(p Peer) (o Overview, err error) {
		return o, s.ask(ctx, p, "/api/v1/overview", authorization, overviewTime, &o)
	})
	running.Wait()
	if err != nil {
		return Overview{}, err
	}
	for i, p := range peers {
		at := slices.IndexFunc(own.Instances, func(in Instance) bool { return in.ID == p.ID })
		if at < 0 {
			continue // it came between two looks
		}
		in := &own.Instances[at]
		said, err := selfOf(others[i], errs[i], p)
		if err != nil {
			in.Reasons = []string{err.Error()}
			continue
		}
		said.ID, said.URL, said.Self, said.Reachable = in.ID, in.URL, false, true
		*in = said
		own.add(others[i])
	}
	if slices.ContainsFunc(own.Instances, func(in Instance) bool { return !in.Reachable }) {
		own.Accounts.Known = false
	}
	return own, nil
}

// selfOf is what an instance says of itself, if it is the one that was meant.
func selfOf(o Overview, err error, p Peer) (Instance, error) {
	if err != nil {
		return Instance{}, err
	}
	at := slices.IndexFunc(o.Instances, func(in Instance) bool { return in.Self })
	if at < 0 || o.Instances[at].ID != "" && o.Instances[at].ID != p.ID {
		return Instance{}, fmt.Errorf("another instance answers at %s: set http.advertise to where this one is", p.URL)
	}
	return o.Instances[at], nil
}

// add takes what another instance says of its part.
func (o *Overview) add(other Overview) {
	for _, e := range other.Edges {
		at := slices.IndexFunc(o.Edges, func(own Edge) bool { return own.From == e.From && own.To == e.To && own.Topic == e.Topic })
		if at < 0 {
			o.Edges = append(o.Edges, e)
			continue
		}
		own := &o.Edges[at]
		own.RecordsPerSecond += e.RecordsPerSecond
		own.LagRecords += e.LagRecords
		own.LagSeconds = max(own.LagSeconds, e.LagSeconds)
	}
	for _, p := range other.Parked {
		at := slices.IndexFunc(o.Parked, func(own ParkedSum) bool { return own.Reason == p.Reason })
		if at < 0 {
			o.Parked = append(o.Parked, p)
			continue
		}
		o.Parked[at].Count += p.Count
		o.Parked[at].OldestSeconds = max(o.Parked[at].OldestSeconds, p.OldestSeconds)
	}
	for _, q := range other.Quarantine {
		at := slices.IndexFunc(o.Quarantine, func(own BadSum) bool { return own.Topic == q.Topic && own.Reason == q.Reason })
		if at < 0 {
			o.Quarantine = append(o.Quarantine, q)
			continue
		}
		o.Quarantine[at].Count += q.Count
	}
	for _, p := range other.Paused {
		if !slices.ContainsFunc(o.Paused, func(own Paused) bool { return own.Topic == p.Topic }) {
			o.Paused = append(o.Paused, p)
		}
	}
	o.Accounts.add(other.Accounts)
	o.Latency = Latency{max(o.Latency.P50, other.Latency.P50), max(o.Latency.P99, other.Latency.P99)}
}

func (a *Accounts) add(other Accounts) {
	sum := map[string]int64{}
	for _, topics := range []map[string]int64{a.Topics, other.Topics} {
		for topic, n := range topics {
			sum[topic] += n
		}
	}
	*a = NewAccounts(sum, a.Known && other.Known)
}

// NewAccounts are those of the balances of legacy streams.
func NewAccounts(topics map[string]int64, known bool) Accounts {
	a := Accounts{Topics: topics, Known: known}
	for _, n := range topics {
		a.Balance += max(n, -n)
	}
	return a
}

// parkedOfAll merges what waits on all instances.
func (s *Server) parkedOfAll(ctx context.Context, r *http.Request, q ParkedQuery) (ParkedList, error) {
	all, err := s.o.Source.Parked(ctx, q)
	if err != nil {
		return ParkedList{}, err
	}
	peers, err := s.o.Source.Peers(ctx)
	if err != nil {
		all.Missing = append(all.Missing, oneLine("other instances: "+err.Error()))
	}
	lists, errs := each(peers, func(p Peer) (l ParkedList, err error) {
		return l, s.ask(ctx, p, requestURI(r), r.Header.Get("Authorization"), storyTime, &l)
	})
	for i, list := range lists {
		if errs[i] != nil {
			all.Missing = append(all.Missing, errs[i].Error())
			continue
		}
		all.Records = append(all.Records, list.Records...)
		all.Missing = append(all.Missing, list.Missing...)
		all.Total += list.Total
	}
	slices.SortStableFunc(all.Records, func(a, b ParkedRecord) int { return a.Since.Compare(b.Since) })
	all.Records = all.Records[:min(len(all.Records), q.Limit)]
	all.Truncated = all.Total > int64(len(all.Records))
	return all, nil
}

// requestURI is what to ask another instance for.
func requestURI(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return r.URL.EscapedPath()
	}
	return r.URL.EscapedPath() + "?" + r.URL.RawQuery
}

// findAtOwner asks the instance that has the partition, which this one has not.
func (s *Server) findAtOwner(ctx context.Context, r *http.Request, q StoryQuery, why error) (found Story, err error) {
	peers, err := s.o.Source.Peers(ctx)
	if err != nil {
		return found, &UnavailableError{oneLine(fmt.Sprintf("%s; which instance has it cannot be told: %s", why, err))}
	}
	partition := s.o.Source.Owner(q.Event)
	at := slices.IndexFunc(peers, func(p Peer) bool { return slices.Contains(p.Partitions, partition) })
	if at < 0 {
		return found, why
	}
	if err := s.ask(ctx, peers[at], requestURI(r), r.Header.Get("Authorization"), storyTime, &found); err != nil {
		return found, inPartition(err, partition)
	}
	found.Instance = cmp.Or(found.Instance, peers[at].URL)
	return found, nil
}

// inPartition names the partition that cannot be looked into.
func inPartition(err error, partition int32) error {
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) && !strings.Contains(unavailable.Text, "partition") {
		return &UnavailableError{fmt.Sprintf("partition %d cannot be looked into: %s", partition, unavailable.Text)}
	}
	return err
}

// findAnywhere asks all instances at once: the id alone does not say where it is.
func (s *Server) findAnywhere(ctx context.Context, r *http.Request, q StoryQuery) (Story, error) {
	peers, lost := s.o.Source.Peers(ctx)
	self := Peer{ID: "self", URL: "self"}
	found, errs := each(append([]Peer{self}, peers...), func(p Peer) (st Story, err error) {
		if p.URL == self.URL {
			return s.o.Source.Story(ctx, q)
		}
		if err = s.ask(ctx, p, requestURI(r), r.Header.Get("Authorization"), storyTime, &st); err == nil {
			st.Instance = cmp.Or(st.Instance, p.URL)
		}
		return st, err
	})
	var why []string
	for i, err := range errs {
		var missing *NotFoundError
		var unavailable *UnavailableError
		switch {
		case err == nil:
			return found[i], nil
		case errors.As(err, &missing):
		case errors.As(err, &unavailable):
			why = append(why, unavailable.Text)
		default:
			return Story{}, err
		}
	}
	if lost != nil {
		why = append(why, "other instances cannot be found: "+oneLine(lost.Error()))
	}
	if len(why) == 0 {
		return Story{}, &NotFoundError{fmt.Sprintf("no instance has seen %s %s", q.Kind, q.ID)}
	}
	return Story{}, &UnavailableError{fmt.Sprintf("%s %s is not found where it could be looked for: %s; with its event it can be looked up at once", q.Kind, q.ID, strings.Join(why, "; "))}
}
