package mapping

// InternalBytes is what internal topics and tables have to take: nothing that the
// rules let through becomes a larger record there, key, value and some kilobytes
// of Kafka's own included.
//
// With M = MaxRecordBytes, K for an entity's key, I for its Input, and O for an
// organizer's escaped id, intake lets through (see oversized)
//
//	partners  2K + I     ≤ M
//	others    2K + I + O ≤ 2M
//
// and what is made of those is, with the bookkeeping of an entity below M,
//
//	Input        K + I                           ≤ 2M
//	Answer       K(event) + I(partner)           ≤ 3M
//	Membership   O + K + id                      ≤ 2M    also its row
//	Loop         K(parent) + K(after)            ≤ 2M    an organizer's after is O + K(event): 3M
//	event row    K + 2I + O (asked) + I(partner) ≤ 5M    the facts, and those kept;
//	                                        + M  ≤ 6M    and those of other partitions, see keepOther
//	other rows   K + 2I                          ≤ 4M
func (r *Rules) InternalBytes() int { return 6 * r.MaxRecordBytes }

// oversized tells whether what intake would send on cannot be kept: the record
// goes to quarantine, where its bytes are at hand. Facts hold no more than the
// slim record will, give or take the encoding, but ids count more than once: a
// key repeats them, with each slash in three bytes, and so do commands, and
// skipped orders have nothing else.
func (r *Rules) oversized(s Stream, in Intake) bool {
	size := 2*len(in.Key) + in.Input.SizeVT()
	switch s {
	case Partners:
		// An event's row holds its partner's facts as well as its own.
		return size > r.MaxRecordBytes
	case Events:
		size += len(OrganizerKey(in.Input.GetEvent().GetOrg()))
	}
	return size > 2*r.MaxRecordBytes
}
