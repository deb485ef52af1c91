package slim

// AppendEvent appends the value of an events record to dst and returns the
// extended slice. enc must have passed [Encoding.Validate].
//
// A record that [Event.Validate] refuses is still written well-formed: what is
// nil is left out, and a number that is not finite is left out or, where the
// field is required, written as 0.
func AppendEvent(dst []byte, enc Encoding, e *Event) []byte {
	enc.mustBeValid()
	if enc.Format == Protobuf {
		return appendMessage(dst, eventToProto(e))
	}
	return appendEventJSON(dst, enc.Edition, e)
}

// AppendOrder appends the value of an orders record, as [AppendEvent] does.
func AppendOrder(dst []byte, enc Encoding, o *Order) []byte {
	enc.mustBeValid()
	if enc.Format == Protobuf {
		return appendMessage(dst, orderToProto(o))
	}
	return appendOrderJSON(dst, enc.Edition, o)
}

// AppendRefund appends the value of a refunds record, as [AppendEvent] does.
func AppendRefund(dst []byte, enc Encoding, r *Refund) []byte {
	enc.mustBeValid()
	if enc.Format == Protobuf {
		return appendMessage(dst, refundToProto(r))
	}
	return appendRefundJSON(dst, enc.Edition, r)
}
