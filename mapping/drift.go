package mapping

import "github.com/cespare/xxhash/v2"

// EventDrifted tells whether the event of a row would now be emitted with other
// bytes than it was, as after a change of the directory. One that waits has not
// drifted: it will be decided when its wait ends.
func (r *Rules) EventDrifted(value []byte) (bool, error) {
	row, err := DecodeRow(value)
	if err != nil {
		return false, err
	}
	st := row.GetEvent()
	if st.GetFacts() == nil || st.GetEntity().GetWait() != nil || st.GetEntity().GetSent() == nil {
		return false, nil
	}
	ev, _ := r.slimEvent(st.Facts, r.organizer(st.Facts, st.GetOrganizer().GetOrganizer()))
	return xxhash.Sum64(r.encodeEvent(&ev)) != st.Entity.Sent.GetDigest(), nil
}

// BehindEvent is greater than all keys of an event and not greater than those of
// the next: keys are UTF-8, which has no byte 0xff.
func BehindEvent(eventKey string) string { return eventKey + "/\xff" }
