package mapping

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// PageSize is how many keys a RELEASE or REMAP command handles at a time.
const PageSize = 500

// Reader reads a value of the partition that a step runs in; nil when there is none. Nobody changes it afterwards.
type Reader func(key string) ([]byte, error)

// Outcome is what a group does about one input.
type Outcome struct {
	Effects
	Value []byte // to write under the input's key; nil: leave as it is
	Scan  *Scan  // the input was a command over many keys
	// Answer is what the organizers tell: to the event of the input's key or,
	// with a Scan, to the event of every key found.
	Answer *statepb.Answer
	Ended  Ends // what the input changed in the accounts
}

// Scan asks for one page of keys below Prefix, behind After, in ascending order.
// Each key found is sent Command, or answered where the outcome has an Answer.
type Scan struct {
	Prefix  string
	After   string
	Waiting bool // only keys that wait, for a reason that Wakes accepts
	command *statepb.Loop
	parent  string
}

// Parent is the key whose children the scan visits.
func (s *Scan) Parent() string { return s.parent }

// Wanted tells whether a key that waits is concerned.
func (s *Scan) Wanted(key string, wait WaitReason) bool {
	return Wakes(s.parent, wait) && ParentKey(key) == s.parent
}

// WantedRow tells whether any key is concerned, by its value.
func (s *Scan) WantedRow(key string, value []byte) bool {
	if ParentKey(key) != s.parent {
		return false
	}
	row, err := ViewRow(value)
	return err != nil || !row.GetMember().GetLeft() // whoever reads the row next reports the error
}

// Next is the command that continues behind the last key of a full page.
func (s *Scan) Next(last string) Loop {
	return Loop{Key: s.parent, Command: &statepb.Loop{Kind: s.command.GetKind(), After: last}}
}

// Command is what to send to a key that was found.
func (s *Scan) Command(key string) Loop {
	if s.command.GetKind() == statepb.Loop_RESEND_BELOW {
		return Resend(key, true)
	}
	return Recheck(key)
}

// Resend is the command to send again what the slim topics should hold for key
// and, with below, for everything below it: an event before its orders, an order
// before its refunds.
func Resend(key string, below bool) Loop {
	return Loop{Key: key, Command: &statepb.Loop{Kind: statepb.Loop_RESEND, Below: below}}
}

// Recheck is the command to decide again about key.
func Recheck(key string) Loop {
	return Loop{Key: key, Command: &statepb.Loop{Kind: statepb.Loop_RECHECK}}
}

// DecodeRow reads a value of a group table. Texts are not checked to be UTF-8, see decision 17.
func DecodeRow(value []byte) (*statepb.Row, error) {
	row := &statepb.Row{}
	if err := row.UnmarshalVT(value); err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	return row, nil
}

// ViewRow is DecodeRow for a value that nobody changes while the row is used: its texts stay where they are in it.
func ViewRow(value []byte) (*statepb.Row, error) {
	row := &statepb.Row{}
	if err := row.UnmarshalVTUnsafe(value); err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	return row, nil
}

// OrderView is the row of an event, encoded, with only what steps about orders want of it: the sets, and what says whether
// the event is published. The rest, which is most of a row, is left out.
func OrderView(row *statepb.Row) []byte {
	own := &statepb.Row{}
	if ev := row.GetEvent(); ev != nil {
		view := &statepb.EventState{Entity: &statepb.Entity{Sent: ev.GetEntity().GetSent(), Spread: ev.GetEntity().GetSpread()}}
		if f := ev.GetFacts(); f != nil {
			view.Facts = &statepb.EventFacts{Org: f.GetOrg(), Sets: f.GetSets()}
		}
		if currency := ev.GetOrganizer().GetOrganizer().GetCurrency(); currency != "" {
			view.Organizer = &statepb.Answer{Organizer: &statepb.OrganizerFacts{Currency: currency}}
		}
		own.State = &statepb.Row_Event{Event: view}
	}
	b, err := encodeRow(own)
	if err != nil {
		panic(err) // there is no way for it to fail
	}
	return b
}

// Gate runs the gate's step for one input: an Input, an Answer or a Loop. An
// error from env.Settle comes back unchanged and means that nothing was decided.
func (r *Rules) Gate(env *Env, key string, read Reader, in proto.Message) (Outcome, error) {
	if cmd, ok := in.(*statepb.Loop); ok && !toOneKey(cmd) {
		return r.gateScan(env, key, read, cmd)
	}
	own, row, err := ownRow(read, key, gateKind)
	if err != nil {
		return Outcome{}, err
	}
	before := EndsOf(row)
	var effects Effects
	switch KindOf(key) {
	case LedgerKind:
		effects, err = r.ledgerStep(env, row, in)
	case EventKind:
		effects, err = r.gateEvent(env, key, row, in)
	case OrderKind:
		effects, err = r.gateOrder(env, key, read, row, in)
	case RefundKind:
		effects, err = r.gateRefund(env, key, read, row, in)
	}
	if err != nil {
		return Outcome{}, err
	}
	return r.outcome(env, key, own, row, before, effects)
}

func toOneKey(cmd *statepb.Loop) bool {
	return cmd.GetKind() == statepb.Loop_RECHECK || cmd.GetKind() == statepb.Loop_RESEND
}

// gateScan prepares a command over what lies below an event or an order. A
// release whose parent is not proven published is dropped: the record that
// publishes the parent will send another.
func (r *Rules) gateScan(env *Env, key string, read Reader, cmd *statepb.Loop) (Outcome, error) {
	scan := newScan(key, cmd)
	if !scan.Waiting {
		return Outcome{Scan: scan}, nil
	}
	row, err := readRow(read, key)
	if err != nil {
		return Outcome{}, err
	}
	ok, err := published(r, env, EntityOf(row))
	if err != nil || !(ok || row.GetOrder().GetSkipped()) {
		return Outcome{}, err
	}
	return Outcome{Scan: scan}, nil
}

func newScan(key string, cmd *statepb.Loop) *Scan {
	return &Scan{
		Prefix: key + "/", After: cmd.GetAfter(), Waiting: cmd.GetKind() == statepb.Loop_RELEASE,
		command: cmd, parent: key,
	}
}

func (r *Rules) ledgerStep(env *Env, row *statepb.Row, in proto.Message) (Effects, error) {
	if _, ok := in.(*statepb.Loop); ok {
		return Effects{rewrite: true}, nil
	}
	input, ok := in.(*statepb.Input)
	if !ok || input.GetNote() == nil {
		return Effects{}, unexpected("a ledger", in)
	}
	st := row.GetLedger()
	if st == nil {
		st = &statepb.LedgerState{}
		row.State = &statepb.Row_Ledger{Ledger: st}
	}
	r.LedgerRecord(st, input)
	return Effects{}, nil
}

func (r *Rules) gateEvent(env *Env, key string, row *statepb.Row, in proto.Message) (Effects, error) {
	st := row.GetEvent()
	if st == nil {
		st = &statepb.EventState{}
	}
	var effects Effects
	switch in := in.(type) {
	case *statepb.Input:
		switch {
		case in.GetEvent() != nil:
			effects = r.EventRecord(env, key, st, in)
		case repeatsWellFormed(in.GetRepeats()):
			effects = r.EventRepeats(env, key, st, in)
		default:
			return Effects{}, unexpected("an event", in)
		}
	case *statepb.Answer:
		effects = r.EventAnswer(env, key, st, in)
	case *statepb.Loop:
		effects = r.EventCommand(env, key, st, in)
	default:
		return Effects{}, unexpected("an event", in)
	}
	if st.Facts != nil || st.Entity.GetSeen() != nil {
		row.State = &statepb.Row_Event{Event: st}
	}
	return effects, nil
}

func (r *Rules) gateOrder(env *Env, key string, read Reader, row *statepb.Row, in proto.Message) (Effects, error) {
	parent, err := env.event(read, ParentKey(key))
	if err != nil {
		return Effects{}, err
	}
	st, ev := row.GetOrder(), parent.GetEvent()
	if st == nil {
		st = &statepb.OrderState{}
	}
	if err := env.open(key, st.Facts, st.Kept); err != nil {
		return Effects{}, err
	}
	var effects Effects
	switch in := in.(type) {
	case *statepb.Input:
		if in.GetOrder() == nil && in.GetNote() == nil {
			return Effects{}, unexpected("an order", in)
		}
		if err := env.open(key, in.GetOrder()); err != nil {
			return Effects{}, err
		}
		row.State = &statepb.Row_Order{Order: st}
		effects, err = r.OrderRecord(env, key, st, ev, in)
	case *statepb.Loop:
		effects, err = r.OrderCommand(env, key, st, ev, in)
	default:
		return Effects{}, unexpected("an order", in)
	}
	return effects, err
}

func (r *Rules) gateRefund(env *Env, key string, read Reader, row *statepb.Row, in proto.Message) (Effects, error) {
	parent, err := readRow(read, ParentKey(key))
	if err != nil {
		return Effects{}, err
	}
	st, order := row.GetRefund(), parent.GetOrder()
	if st == nil {
		st = &statepb.RefundState{}
	}
	if err := env.open(ParentKey(key), order.GetFacts(), order.GetKept()); err != nil {
		return Effects{}, err
	}
	var effects Effects
	switch in := in.(type) {
	case *statepb.Input:
		if in.GetRefund() == nil {
			return Effects{}, unexpected("a refund", in)
		}
		row.State = &statepb.Row_Refund{Refund: st}
		effects, err = r.RefundRecord(env, key, st, order, in)
	case *statepb.Loop:
		effects, err = r.RefundCommand(env, key, st, order, in)
	default:
		return Effects{}, unexpected("a refund", in)
	}
	return effects, err
}

// Organizers runs the organizers' step for one input: an Input, a Membership or a Loop.
func (r *Rules) Organizers(env *Env, key string, read Reader, in proto.Message) (Outcome, error) {
	switch in := in.(type) {
	case *statepb.Membership:
		return r.member(env, key, read, in)
	case *statepb.Loop:
		if !toOneKey(in) {
			return r.answerAll(key, read, in)
		}
	}
	own, row, err := ownRow(read, key, organizersKind)
	if err != nil {
		return Outcome{}, err
	}
	before := EndsOf(row)
	input, record := in.(*statepb.Input)
	var effects Effects
	switch {
	case !record: // a command: the row alone is written again
		effects = Effects{rewrite: true}
	case KindOf(key) == LedgerKind:
		effects, err = r.ledgerStep(env, row, input)
	case input.GetOrganizer() != nil && KindOf(key) == EventKind:
		st := row.GetOrganizer()
		if st == nil {
			st = &statepb.OrganizerState{}
			row.State = &statepb.Row_Organizer{Organizer: st}
		}
		effects = r.OrganizerRecord(env, key, st, input)
	default:
		err = unexpected("an organizer", in)
	}
	if err != nil {
		return Outcome{}, err
	}
	return r.outcome(env, key, own, row, before, effects)
}

// member lets an event join or leave its organizer. Joining is answered every
// time: an answer may have been lost.
func (r *Rules) member(env *Env, key string, read Reader, in *statepb.Membership) (Outcome, error) {
	if KindOf(key) != OrderKind { // ORG/EVENT has the parts of an order's key
		return Outcome{}, unexpected("an organizer", in)
	}
	own, row, err := ownRow(read, key, organizersKind)
	if err != nil {
		return Outcome{}, err
	}
	member := row.GetMember()
	if member == nil {
		member = &statepb.MemberState{}
		row.State = &statepb.Row_Member{Member: member}
	}
	member.Left = in.GetLeave()
	org, err := readRow(read, KeyPrefix(key))
	if err != nil {
		return Outcome{}, err
	}
	out, err := r.outcome(env, key, own, row, Ends{}, Effects{})
	if !member.Left {
		out.Answer = AnswerOf(org.GetOrganizer())
	}
	return out, err
}

func (r *Rules) answerAll(key string, read Reader, cmd *statepb.Loop) (Outcome, error) {
	org, err := readRow(read, key)
	if err != nil {
		return Outcome{}, err
	}
	answer := AnswerOf(org.GetOrganizer())
	if answer == nil {
		return Outcome{}, nil
	}
	return Outcome{Scan: newScan(key, cmd), Answer: answer}, nil
}

// ownRow reads the row of the key that a step is about. One of another kind than the
// key's, or with nothing in it, was not written by this program.
func ownRow(read Reader, key string, isKind func(string, *statepb.Row) bool) ([]byte, *statepb.Row, error) {
	own, err := read(key)
	if err != nil {
		return nil, nil, err
	}
	row, err := ViewRow(own)
	if err != nil {
		return nil, nil, err
	}
	if row.GetState() != nil && !(isKind(key, row) && (row.GetMember() != nil || EntityOf(row) != nil)) {
		return nil, nil, errors.New("a row is not of the kind of its key; has something else written to the table?")
	}
	return own, row, nil
}

func gateKind(key string, row *statepb.Row) bool {
	switch KindOf(key) {
	case LedgerKind:
		return row.GetLedger() != nil
	case EventKind:
		return row.GetEvent() != nil
	case OrderKind:
		return row.GetOrder() != nil
	}
	return row.GetRefund() != nil
}

func organizersKind(key string, row *statepb.Row) bool {
	switch KindOf(key) {
	case LedgerKind:
		return row.GetLedger() != nil
	case EventKind:
		return row.GetOrganizer() != nil
	}
	return row.GetMember() != nil
}

func readRow(read Reader, key string) (*statepb.Row, error) {
	value, err := read(key)
	if err != nil {
		return nil, err
	}
	return ViewRow(value)
}

func unexpected(by string, in proto.Message) error {
	return fmt.Errorf("%s got a %s that is not for it; the internal topics hold records of another version or program", by, in.ProtoReflect().Descriptor().Name())
}

// outcome encodes the row. A row that did not change is written again all the
// same, unless its last write is acknowledged: it may stand in the local store
// alone, and once its cause is done nothing else would bring it to the changelog.
// A replay always writes: another instance's disk may hold what the first
// processing decided, and only a newer row in the changelog replaces that.
func (r *Rules) outcome(env *Env, key string, own []byte, row *statepb.Row, before Ends, effects Effects) (Outcome, error) {
	out := Outcome{Effects: effects, Ended: EndsOf(row).Minus(before)}
	if row.GetState() == nil {
		return out, nil
	}
	if o := row.GetOrder(); o != nil {
		if err := env.seal(key, o.Facts, o.Kept); err != nil {
			return Outcome{}, err
		}
	}
	written := writtenBy(row)
	if own != nil && !effects.rewrite && (r.bugs.skipWrite || r.mayStayUnwritten(env, *written)) {
		value, err := encodeRow(row)
		if err != nil {
			return Outcome{}, err
		}
		if bytes.Equal(value, own) {
			return out, nil
		}
	}
	*written = &statepb.Cause{Topic: env.Self.Topic, Offset: env.Self.Offset}
	*generationOf(row) = env.Generation
	var err error
	out.Value, err = encodeRow(row)
	return out, err
}

func (r *Rules) mayStayUnwritten(env *Env, lastWrite *statepb.Cause) bool {
	return (!env.Replay || r.bugs.quietReplay) && env.Status(causeOfWrite(lastWrite)).Done()
}

func writtenBy(row *statepb.Row) **statepb.Cause {
	if m := row.GetMember(); m != nil {
		return &m.Written
	}
	return &EntityOf(row).Written
}

func generationOf(row *statepb.Row) *int32 {
	if m := row.GetMember(); m != nil {
		return &m.Generation
	}
	return &EntityOf(row).Generation
}

// Generation is that of the session that wrote the row; 0 for a row that is not there.
func Generation(row *statepb.Row) int32 {
	switch st := row.GetState().(type) {
	case nil:
		return 0
	case *statepb.Row_Session:
		return st.Session.GetGeneration()
	case *statepb.Row_Member:
		return st.Member.GetGeneration()
	}
	return EntityOf(row).GetGeneration()
}

// SessionKey is the key of the row that says which session a partition is in. It
// stands in every partition of a table.
const SessionKey = "%session"

// SessionRow is that row's value.
func SessionRow(generation int32) ([]byte, error) {
	return encodeRow(&statepb.Row{State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: generation}}})
}

func causeOfWrite(c *statepb.Cause) Cause {
	return Cause{Topic: c.GetTopic(), Offset: c.GetOffset()}
}

// encodeFacts is for digests.
func encodeFacts(m interface{ MarshalVT() ([]byte, error) }) []byte {
	b, err := m.MarshalVT()
	if err != nil {
		panic(err) // there is no way for it to fail
	}
	return b
}

func encodeRow(row *statepb.Row) ([]byte, error) {
	b, err := row.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return b, nil
}
