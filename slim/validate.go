package slim

import "fmt"

// FieldError says that a field of a record does not fulfil the slim contract.
// It quotes words that stand where a closed vocabulary belongs, and never any
// other value: what may be personal does not show.
type FieldError struct {
	Record  string // "event", "order" or "refund"
	Field   string // as in JSON: organizer.legals.type, tickets[2].id; "" for the record as a whole
	Problem string // what is wrong with it
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Record + ": " + e.Problem
	}
	return e.Record + ": " + e.Field + ": " + e.Problem
}

const (
	problemMissing   = "is required and missing"
	problemNotFinite = "is not a finite number"
)

// Validate returns a *[FieldError] for the first field that keeps the event
// from fulfilling the contract in this encoding: a required field without a
// value, a word outside its closed vocabulary, a number that is not finite.
// Fields that the encoding does not have are not looked at. An invalid
// encoding is an error too.
func (e *Event) Validate(enc Encoding) error {
	if err := enc.Validate(); err != nil {
		return err
	}
	field, problem := e.firstProblem(enc.Edition)
	return fieldError("event", field, problem)
}

func (e *Event) firstProblem(edition Edition) (field, problem string) {
	switch {
	case e.ID == "":
		return "id", problemMissing
	case e.Name == "":
		return "name", problemMissing
	case edition == Edition2 && e.Status == "":
		return "status", problemMissing
	case edition == Edition2 && !IsStatus(e.Status):
		return "status", notOneOf(e.Status, "statuses")
	case e.Category == "":
		return "category", problemMissing
	case !edition.IsCategory(e.Category):
		return "category", notOneOf(e.Category, "categories of edition "+edition.String())
	case edition == Edition1 && e.StartAt == nil:
		return "start_at", problemMissing
	case edition == Edition2 && !isFinite(e.Offset):
		return "offset", problemNotFinite
	case edition == Edition2 && e.Organizer == nil:
		return "organizer", problemMissing
	}
	if field, problem := e.Organizer.firstProblem(edition); problem != "" {
		return "organizer." + field, problem
	}
	if field, problem := e.Venue.firstProblem(); problem != "" {
		return "venue." + field, problem
	}
	return "", ""
}

func (o *Organizer) firstProblem(edition Edition) (field, problem string) {
	switch {
	case o == nil:
		return "", ""
	case o.ID == "":
		return "id", problemMissing
	case o.Name == "":
		return "name", problemMissing
	}
	if field, problem := o.Legals.firstProblem(edition); problem != "" {
		return "legals." + field, problem
	}
	return "", ""
}

func (l *Legals) firstProblem(edition Edition) (field, problem string) {
	switch {
	case l == nil:
		return "", ""
	case edition == Edition1 && l.Name == "":
		return "name", problemMissing
	case edition == Edition1 && l.Type == "":
		return "type", problemMissing
	case l.Type != "" && !IsLegalType(l.Type):
		return "type", notOneOf(l.Type, "types of legal entities")
	}
	return "", ""
}

func (v *Venue) firstProblem() (field, problem string) {
	switch {
	case v == nil:
		return "", ""
	case v.ID == "":
		return "id", problemMissing
	case v.Name == "":
		return "name", problemMissing
	case v.Lat != nil && !isFinite(*v.Lat):
		return "lat", problemNotFinite
	case v.Lon != nil && !isFinite(*v.Lon):
		return "lon", problemNotFinite
	}
	return "", ""
}

// Validate does for an order what [Event.Validate] does for an event.
//
// email, and barcode, category and organizer_id of a ticket may be empty: the
// mapping contract sends such an order out, and the fields are written as "".
// Protobuf requires [Order.EventID].
func (o *Order) Validate(enc Encoding) error {
	if err := enc.Validate(); err != nil {
		return err
	}
	field, problem := o.firstProblem(enc)
	return fieldError("order", field, problem)
}

func (o *Order) firstProblem(enc Encoding) (field, problem string) {
	switch {
	case o.ID == "":
		return "id", problemMissing
	case enc.Format == Protobuf && o.EventID == "":
		return "event_id", problemMissing
	case enc.Edition == Edition2 && o.Number == "":
		return "number", problemMissing
	}
	if field, problem := o.Customer.firstProblem(); problem != "" {
		return "customer." + field, problem
	}
	if len(o.Tickets) == 0 {
		return "tickets", problemMissing
	}
	for i := range o.Tickets {
		if field, problem := o.Tickets[i].firstProblem(); problem != "" {
			return fmt.Sprintf("tickets[%d].%s", i, field), problem
		}
	}
	return "", ""
}

func (c *Customer) firstProblem() (field, problem string) {
	switch {
	case c.Phone == "":
		return "phone", problemMissing
	case !isE164(c.Phone):
		return "phone", "is not an E.164 number: want + and digits"
	}
	return "", ""
}

func (t *Ticket) firstProblem() (field, problem string) {
	switch {
	case t.ID == "":
		return "id", problemMissing
	case t.EventID == "":
		return "event_id", problemMissing
	case t.Currency != "" && !IsCurrency(t.Currency):
		return "currency", notOneOf(t.Currency, "currencies")
	}
	return "", ""
}

// Validate does for a refund what [Order.Validate] does for an order.
func (r *Refund) Validate(enc Encoding) error {
	if err := enc.Validate(); err != nil {
		return err
	}
	field, problem := r.firstProblem()
	return fieldError("refund", field, problem)
}

func (r *Refund) firstProblem() (field, problem string) {
	if field, problem := r.Customer.firstProblem(); problem != "" {
		return "customer." + field, problem
	}
	if len(r.TicketIDs) == 0 {
		return "ticket_ids", problemMissing
	}
	for i, id := range r.TicketIDs {
		if id == "" {
			return fmt.Sprintf("ticket_ids[%d]", i), "is empty"
		}
	}
	return "", ""
}

// isE164 checks the form only. It sets no upper bound: numbering plans have
// longer numbers than E.164's 15 digits, and whether a number is possible is
// the mapping's question.
func isE164(phone string) bool {
	if len(phone) < 2 || phone[0] != '+' || phone[1] == '0' {
		return false
	}
	for i := 1; i < len(phone); i++ {
		if phone[i] < '0' || phone[i] > '9' {
			return false
		}
	}
	return true
}

func notOneOf(word, vocabulary string) string {
	return fmt.Sprintf("%.40q is not one of the %s", word, vocabulary)
}

func fieldError(record, field, problem string) error {
	if problem == "" {
		return nil
	}
	return &FieldError{Record: record, Field: field, Problem: problem}
}
