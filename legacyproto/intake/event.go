package intake

import (
	"fmt"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// DecodeEvent is DecodePartner for records of the events topic. It is scanned by hand, as DecodeOrder: at the start of a
// deployment all events are read before the first order. The strings of m share memory with each other, and none with b.
func DecodeEvent(b []byte, m *Event) error {
	err := ViewEvent(b, m)
	if err == nil {
		ownEventTexts(m)
	}
	return err
}

// ViewEvent is DecodeEvent for whoever is done with m before b changes: the strings of m are parts of b.
func ViewEvent(b []byte, m *Event) error {
	*m = Event{}
	if scanEvent(unsafe.String(unsafe.SliceData(b), len(b)), m) {
		return nil
	}
	return fmt.Errorf("decode Event: %w", explain(b, (*Event)(nil).ProtoReflect().Descriptor()))
}

// scanEvent is scanOrder for an event.
func scanEvent(s string, m *Event) bool {
	var spare []Event_TicketSet
	for i := 0; i < len(s); {
		key, v, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Id, content)
		case 2<<3 | length:
			ok = setText(&m.Meta, content)
		case 3<<3 | length:
			ok = setText(&m.Name, content)
		case 4<<3 | length:
			ok = setText(&m.Description, content)
		case 5<<3 | varint:
			m.Status = Event_EventStatus(v)
		case 6<<3 | length:
			ok = setText(&m.Org, content)
		case 7<<3 | length:
			ok = setText(&m.Venue, content)
		case 9<<3 | length:
			if m.Lifetime == nil {
				m.Lifetime = new(Lifetime)
			}
			ok = scanLifetime(content, m.Lifetime)
		case 10<<3 | length:
			ok = setText(&m.Category, content)
		case 14<<3 | length:
			if m.Media == nil {
				m.Media = new(Event_Media)
			}
			ok = scanMedia(content, m.Media)
		case 20<<3 | length:
			if m.Legal == nil {
				m.Legal = &Event_LegalRu_{LegalRu: new(Event_LegalRu)}
			}
			ok = scanLegalRu(content, m.GetLegalRu())
		case 30<<3 | length:
			if len(spare) == 0 {
				n := runOf(s, i)
				spare = make([]Event_TicketSet, n)
				m.Sets = slices.Grow(m.Sets, n)
			}
			ok = scanTicketSet(content, &spare[0])
			m.Sets = append(m.Sets, &spare[0])
			spare = spare[1:]
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanLifetime(s string, m *Lifetime) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = scanTimestamp(content, &m.Start)
		case 2<<3 | length:
			ok = scanTimestamp(content, &m.Finish)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanTimestamp(s string, to **timestamppb.Timestamp) bool {
	if *to == nil {
		*to = new(timestamppb.Timestamp)
	}
	for i := 0; i < len(s); {
		key, v, _, next := scanField(s, i)
		switch key {
		case 1<<3 | varint:
			(*to).Seconds = int64(v)
		case 2<<3 | varint:
			(*to).Nanos = int32(v)
		}
		if next < 0 {
			return false
		}
		i = next
	}
	return true
}

func scanMedia(s string, m *Event_Media) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Cover, content)
		case 2<<3 | length:
			ok = setText(&m.CoverSmall, content)
		case 3<<3 | length:
			ok = setText(&m.CoverOriginal, content)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanLegalRu(s string, m *Event_LegalRu) bool {
	for i := 0; i < len(s); {
		key, v, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 2<<3 | varint:
			m.Type = Event_LegalRu_Type(v)
		case 3<<3 | length:
			ok = setText(&m.Name, content)
		case 4<<3 | length:
			ok = setText(&m.Inn, content)
		case 5<<3 | length:
			ok = setText(&m.Address, content)
		case 6<<3 | length: // the last of the two wins
			o := new(Event_LegalRu_Ogrn)
			m.Ogrns, ok = o, setText(&o.Ogrn, content)
		case 7<<3 | length:
			o := new(Event_LegalRu_Ogrnip)
			m.Ogrns, ok = o, setText(&o.Ogrnip, content)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanTicketSet(s string, m *Event_TicketSet) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Id, content)
		case 2<<3 | length:
			ok = setText(&m.Name, content)
		case 3<<3 | length:
			ok = setText(&m.Description, content)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

// ownEventTexts is ownTexts for an event.
func ownEventTexts(m *Event) {
	texts := []*string{&m.Id, &m.Meta, &m.Name, &m.Description, &m.Org, &m.Venue, &m.Category}
	if m.Media != nil {
		texts = append(texts, &m.Media.Cover, &m.Media.CoverSmall, &m.Media.CoverOriginal)
	}
	if l := m.GetLegalRu(); l != nil {
		texts = append(texts, &l.Name, &l.Inn, &l.Address)
		switch o := l.Ogrns.(type) {
		case *Event_LegalRu_Ogrn:
			texts = append(texts, &o.Ogrn)
		case *Event_LegalRu_Ogrnip:
			texts = append(texts, &o.Ogrnip)
		}
	}
	for _, s := range m.Sets {
		texts = append(texts, &s.Id, &s.Name, &s.Description)
	}
	size := 0
	for _, text := range texts {
		size += len(*text)
	}
	var to textMemory
	to.Grow(size)
	for _, text := range texts {
		to.own(text)
	}
}
