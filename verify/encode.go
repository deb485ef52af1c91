package verify

// The bytes of a slim record in the deployment's encoding.

func (r *rules) encodeEvent(v *Event) []byte {
	if r.protobuf {
		return v.protobuf()
	}
	return v.json(r.v2)
}

func (r *rules) encodeOrder(v *Order) []byte {
	if r.protobuf {
		return v.protobuf()
	}
	return v.json(r.v2)
}

func (r *rules) encodeRefund(v *Refund) []byte {
	if r.protobuf {
		return v.protobuf()
	}
	return v.json(r.v2)
}
