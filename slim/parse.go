package slim

// ParseEvent reads the value of an events record, as [AppendEvent] writes it.
//
// It is strict about the shape. In JSON these are errors: text that is not
// UTF-8, anything after the value, a field that the edition does not have or
// that comes twice, a required field that is missing, null, another type than
// the contract's. In Protobuf: fields and enum values that vibe.v1 does not
// have, a record without the messages that are required, no bytes at all. It
// is not strict about values: that is [Event.Validate]. White space and the
// order of fields do not matter, and an optional string that is "" reads as
// absent.
//
// An error names fields and never quotes text of the record.
//
// Protobuf does not carry all of an Event: see the fields of [Venue] for
// coordinates. An Event that was published before vibe.v1 had organizer has
// organizer_id alone; it reads as an Organizer with this ID and no name.
func ParseEvent(enc Encoding, b []byte) (*Event, error) {
	if err := enc.Validate(); err != nil {
		return nil, err
	}
	if enc.Format == Protobuf {
		return parseEventProto(b)
	}
	return parseEventJSON(enc.Edition, b)
}

// ParseOrder reads the value of an orders record as [ParseEvent] does for
// events. [Order.EventID] and [Order.OrganizerID] come from Protobuf only.
func ParseOrder(enc Encoding, b []byte) (*Order, error) {
	if err := enc.Validate(); err != nil {
		return nil, err
	}
	if enc.Format == Protobuf {
		return parseOrderProto(b)
	}
	return parseOrderJSON(enc.Edition, b)
}

// ParseRefund reads the value of a refunds record as [ParseEvent] does for
// events.
func ParseRefund(enc Encoding, b []byte) (*Refund, error) {
	if err := enc.Validate(); err != nil {
		return nil, err
	}
	if enc.Format == Protobuf {
		return parseRefundProto(b)
	}
	return parseRefundJSON(enc.Edition, b)
}
