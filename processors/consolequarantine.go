package processors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// quarantineAge is how long a reading of the quarantine topic is shown, and quarantineShare how much of the time at most
// goes into reading it.
const (
	quarantineAge   = 5 * time.Second
	quarantineShare = 5
)

// readQuarantine reads the quarantine topic, or gives what was read a moment ago. What it gives is not to be changed.
func (c *Console) readQuarantine(ctx context.Context) (QuarantineList, error) {
	s := &c.bad
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.list, nil
	}
	began := time.Now()
	list, err := ReadQuarantine(ctx, c.config())
	if err != nil {
		return list, c.mayNotRead(err)
	}
	s.list, s.until = list, time.Now().Add(max(quarantineAge, quarantineShare*time.Since(began)))
	return list, nil
}

// mayNotRead says what right is missing: an instance runs without that of reading the quarantine.
func (c *Console) mayNotRead(err error) error {
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return &console.UnavailableError{Text: fmt.Sprintf("the user of this instance may not read topic %s: grant it Read on that topic", c.config().Topics.Quarantine())}
	}
	return notNow(err)
}

// notNow says of brokers that have stopped answering amid a topic that they may answer later.
func notNow(err error) error {
	if errors.Is(err, errStalled) {
		return &console.UnavailableError{Text: err.Error() + ": try again"}
	}
	return err
}

// checkReason refuses a word that is no reason; "" is none.
func checkReason(reason string) error {
	if reason == "" || slices.Contains(mapping.QuarantineReasons, mapping.Reason(reason)) {
		return nil
	}
	var words []string
	for _, r := range mapping.QuarantineReasons {
		words = append(words, string(r))
	}
	return &console.RefusedError{Text: fmt.Sprintf("reason: %s is none: want one of %s", ShownID(reason), strings.Join(words, ", "))}
}

// mostAsked bounds how many legacy records are read to tell whether they are those of an id.
const mostAsked = batchRecords

// InQuarantine is the newest record of an event, order or refund that was not replayed. Of those that are there by their
// place alone it looks at the newest mostAsked.
func (c *Console) InQuarantine(ctx context.Context, kind, id string) (*console.BadRecord, error) {
	list, err := c.readQuarantine(ctx)
	if err != nil {
		return nil, err
	}
	var own, unknown []*Quarantined
	for _, e := range list.Records {
		switch {
		case kinds[e.stream] != kind || !e.Replayed.IsZero():
		case e.Reference:
			unknown = append(unknown, e)
		case badRecord(e).ID == id:
			own = append(own, e)
		}
	}
	if len(own) == 0 {
		slices.SortFunc(unknown, newestFirst)
		if unknown, err = c.withIDs(ctx, unknown[:min(len(unknown), mostAsked)]); err != nil {
			return nil, err
		}
		own = slices.DeleteFunc(unknown, func(e *Quarantined) bool { return badRecord(e).ID != id })
	}
	if len(own) == 0 {
		return nil, nil
	}
	slices.SortFunc(own, newestFirst)
	found := badRecord(own[0])
	return &found, nil
}

func newestFirst(a, b *Quarantined) int {
	return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Partition, a.Partition), cmp.Compare(b.Offset, a.Offset))
}

// Quarantine lists the quarantine topic, the newest first.
func (c *Console) Quarantine(ctx context.Context, q console.BadQuery) (console.BadList, error) {
	answer := console.BadList{Records: []console.BadRecord{}, Reasons: map[string]int64{}}
	topic, err := c.config().legacyTopic(q.Topic)
	if err == nil {
		err = checkReason(q.Reason)
	}
	if err != nil {
		return answer, err
	}
	list, err := c.readQuarantine(ctx)
	if err != nil {
		return answer, err
	}
	var chosen []*Quarantined
	for _, e := range list.Records {
		if wantsBad(q, topic, e) {
			chosen = append(chosen, e)
		}
	}
	if q.ID != "" { // records that are there by their place have ids in their legacy topic alone
		if chosen, err = c.withIDs(ctx, chosen); err != nil {
			return answer, err
		}
		chosen = slices.DeleteFunc(chosen, func(e *Quarantined) bool { return !e.Has(q.ID) })
	}
	for _, e := range chosen {
		answer.Reasons[ShownID(e.Reason)]++
	}
	slices.SortFunc(chosen, newestFirst)
	answer.Truncated = len(chosen) > q.Limit
	chosen = chosen[:min(len(chosen), q.Limit)]
	if q.ID == "" {
		if chosen, err = c.withIDs(ctx, chosen); err != nil {
			return answer, err
		}
	}
	for _, e := range chosen {
		answer.Records = append(answer.Records, badRecord(e))
	}
	return answer, nil
}

// withIDs reads the ids of records that are there by their place, into copies.
func (c *Console) withIDs(ctx context.Context, records []*Quarantined) ([]*Quarantined, error) {
	copies := make([]*Quarantined, len(records))
	for i, e := range records {
		own := *e
		copies[i] = &own
	}
	return copies, c.mayNotRead(FillReferences(ctx, c.config(), copies))
}

func wantsBad(q console.BadQuery, topic string, e *Quarantined) bool {
	return (q.Replayed || e.Replayed.IsZero()) && (q.Reason == "" || e.Reason == q.Reason) && (topic == "" || e.Source.Topic == topic) &&
		(q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// legacyTopic is the name of a legacy topic that is given as it is or by its default name.
func (cfg Config) legacyTopic(name string) (string, error) {
	if name == "" || slices.Contains(cfg.Topics.Legacy[:], name) {
		return name, nil
	}
	for _, s := range mapping.Streams {
		if s.String() == name {
			return cfg.Topics.Legacy[s], nil
		}
	}
	return "", &console.NotFoundError{Text: fmt.Sprintf("%q is no legacy topic: want one of %s", name, strings.Join(cfg.Topics.Legacy[:], ", "))}
}

func badRecord(e *Quarantined) console.BadRecord {
	r := console.BadRecord{
		Position: fmt.Sprintf("%d/%d", e.Partition, e.Offset), Time: e.Time, Topic: e.Source.Topic, Source: e.Source.String(),
		Stage: e.Stage, Reason: ShownID(e.Reason), Message: e.Explanation,
	}
	switch e.stream {
	case mapping.Partners:
		r.ID = e.Partner
	case mapping.Events:
		r.ID = e.Event
	case mapping.Orders:
		r.ID = e.Order
	case mapping.Refunds:
		r.ID = e.Refund
	}
	if !e.Replayed.IsZero() {
		at := e.Replayed
		r.Replayed = &at
	}
	return r
}

// QuarantineRecord shows one record with its fields, personal values as they are: see console.Field.
func (c *Console) QuarantineRecord(ctx context.Context, partition int32, offset int64) (console.BadDetail, error) {
	detail := console.BadDetail{Headers: []console.Field{}, Fields: []console.Field{}}
	found, err := c.atPositions(ctx, []string{fmt.Sprintf("%d/%d", partition, offset)})
	if err != nil {
		return detail, err
	}
	cfg := c.config()
	originals, err := ReadOriginals(ctx, cfg, found)
	if err != nil {
		return detail, c.mayNotRead(err)
	}
	detail.BadRecord = badRecord(found[0])
	original := originals[0]
	if original == nil {
		detail.Fields = append(detail.Fields, console.Field{Name: "record", Value: "neither topic has it any more"})
		return detail, nil
	}
	for _, h := range original.Headers {
		value := leaf{path: ShownID(h.Key), value: string(h.Value), text: true, personal: true}
		detail.Headers = append(detail.Headers, consoleFields([]leaf{value})...)
	}
	would := WouldReplay(cfg, found[0], original)
	detail.Fields = append(detail.Fields, console.Field{Name: "a replay now", Value: would.Result})
	leaves, err := legacyLeaves(found[0].stream, original.Value)
	if err != nil {
		detail.Fields = append(detail.Fields, console.Field{Name: "unreadable", Value: err.Error()})
		return detail, nil
	}
	detail.Fields = append(detail.Fields, consoleFields(leaves)...)
	return detail, nil
}

// atPositions finds records by PARTITION/OFFSET, with their ids. All have to be there, or one that stands for them.
func (c *Console) atPositions(ctx context.Context, positions []string) ([]*Quarantined, error) {
	list, err := c.readQuarantine(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, at := range positions {
		wanted[at] = true
	}
	var found []*Quarantined
	for _, e := range list.Records {
		is := false
		for _, offset := range append(slices.Clone(e.earlier), e.Offset) {
			at := fmt.Sprintf("%d/%d", e.Partition, offset)
			is = is || wanted[at]
			delete(wanted, at)
		}
		if is {
			found = append(found, e)
		}
	}
	for at := range wanted {
		return nil, &console.NotFoundError{Text: fmt.Sprintf("quarantine has no record at %s, or it was written a moment ago", ShownID(at))}
	}
	return c.withIDs(ctx, found)
}
