package season

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

const (
	statusStandBy   = int32(legacyproto.Event_STAND_BY)
	statusPublic    = int32(legacyproto.Event_PUBLIC)
	statusCancelled = int32(legacyproto.Event_CANCELED)
	statusFinished  = int32(legacyproto.Event_FINISHED)

	// unknownStatus is a number that no legacy enum has.
	unknownStatus = 77
)

// eventMessage returns the event as it is now. Everything that is not kept in
// event comes from its seed, so that records of one event differ only in what
// has changed.
func (g *generator) eventMessage(e *event) *legacyproto.Event {
	r := newRNG(e.seed)
	m := &legacyproto.Event{
		Id:            e.id,
		Meta:          e.meta,
		Name:          eventName(e),
		Description:   eventDescription(e),
		Status:        legacyproto.Event_EventStatus(e.status),
		Org:           g.partners[e.org].id,
		Venue:         e.venue,
		Lifetime:      &legacyproto.Lifetime{Start: optionalTime(e.start), Finish: optionalTime(e.finish)},
		Category:      e.category,
		Tags:          []string{pick(r, tagNames), pick(r, tagNames)},
		Artists:       []string{g.ids.at(idOther, e.seed, e.created.Unix())},
		AgeRating:     pick(r, ageRatings),
		Media:         eventMedia(r, e),
		OpenDate:      e.start.IsZero(),
		OrgExtra:      percent(5, 0),
		TicketsAmount: uint32(e.stock),
		RatingPublic:  int32(e.rating),
		SmartTickets:  legacyproto.Event_ANY,
		VibeSettings: &legacyproto.Event_VibeSettings{
			ScanMode: legacyproto.Event_VibeSettings_DYNAMIC, ResaleReady: true,
			ResaleParams: &legacyproto.Event_VibeSettings_ResaleParams{OrgFee: 50_000, MinResalePricePpm: 500_000, MaxResalePricePpm: 1_500_000},
		},
		MtsCashback: &legacyproto.Event_MtsCashback{Enabled: true, Regular: percent(5, 0), Premium: percent(10, 0), Limit: 100_000},
		UpdatedAt:   g.timestamp(),
		LastRequest: g.eventRequest(),
	}
	if r.chance(0.2) {
		m.Map = g.ids.at(idOther, e.seed>>32, e.created.Unix())
	}
	if legal := eventLegal(r); legal != nil {
		m.Legal = &legacyproto.Event_LegalRu_{LegalRu: legal}
	}
	m.Sets = make([]*legacyproto.Event_TicketSet, len(e.sets))
	for i := range e.sets {
		m.Sets[i] = g.setMessage(&e.sets[i], i)
	}
	return m
}

func optionalTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func eventName(e *event) string {
	r := newRNG(mix(e.seed, 10))
	name := shows[e.show].prefix + " «" + pick(r, titles) + "»"
	if e.nameVersion > 0 {
		name += ". Показ №" + strconv.Itoa(e.nameVersion+1)
	}
	return name
}

// hugeDescription is the least size of a huge description, in bytes; the most
// is four times that.
const hugeDescription = 50_000

func eventDescription(e *event) string {
	r := newRNG(mix(e.seed, 20+uint64(e.textVersion)))
	size := r.between(600, 1200)
	if e.huge {
		size = r.between(hugeDescription, 4*hugeDescription-1000)
	}
	var text strings.Builder
	text.Grow(size + 250)
	for text.Len() < size {
		text.WriteString(pick(r, sentences))
	}
	return strings.TrimSpace(text.String())
}

func eventMedia(r *rng, e *event) *legacyproto.Event_Media {
	base := "https://media.example.com/" + e.id + "/v" + strconv.Itoa(e.coverVersion)
	switch r.intn(10) {
	case 0:
		return nil
	case 1:
		return &legacyproto.Event_Media{CoverOriginal: base + "/original.jpg", CoverSmall: base + "/small.jpg"}
	case 2:
		return &legacyproto.Event_Media{CoverSmall: base + "/small.jpg"}
	default:
		return &legacyproto.Event_Media{
			Cover: base + "/cover.jpg", CoverOriginal: base + "/original.jpg", CoverSmall: base + "/small.jpg",
		}
	}
}

func eventLegal(r *rng) *legacyproto.Event_LegalRu {
	number := int64(r.intn(1000))
	legal := &legacyproto.Event_LegalRu{Id: r.digits(24), Address: streetAddress(int(number))}
	switch r.intn(5) {
	case 0, 1:
		return nil
	case 2:
		legal.Type = legacyproto.Event_LegalRu_IP
		legal.Name = "ИП Постановщик " + strconv.FormatInt(number, 10)
		legal.Inn = padded(number, 12)
		legal.Ogrns = &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: padded(number, 15)}
	default:
		legal.Name = "ООО «Постановка " + strconv.FormatInt(number, 10) + "»"
		legal.Inn = padded(number, 10)
		legal.Ogrns = &legacyproto.Event_LegalRu_Ogrn{Ogrn: padded(number, 13)}
	}
	return legal
}

func (g *generator) setMessage(s *set, position int) *legacyproto.Event_TicketSet {
	return &legacyproto.Event_TicketSet{
		Id:          s.id,
		Name:        s.name,
		Description: s.description,
		Pos:         int32(position),
		WithSeats:   s.seats,
		Amount:      uint32(s.amount),
		Rules: []*legacyproto.Event_TicketSet_Rule{{
			Id:    s.id[:12] + "0000" + s.id[16:],
			Types: &legacyproto.Event_TicketSet_Rule_Simple{Simple: &legacyproto.Event_TicketSet_Rule_SimpleType{Price: uint64(s.price)}},
		}},
		SmartTicketsTransferable: true,
		Removed:                  s.removed,
	}
}

// eventRequest is different in every record, which makes the bytes differ when
// nothing else does.
func (g *generator) eventRequest() *legacyproto.Event_LastRequest {
	r := &g.random
	return &legacyproto.Event_LastRequest{
		Client:    &legacyproto.Event_LastRequest_IpPort{Ip: clientIP(r), Port: uint32(r.between(1024, 65535))},
		Server:    &legacyproto.Event_LastRequest_IpPort{Ip: "198.51.100.7", Port: 443},
		UserAgent: pick(r, userAgents),
		UserId:    g.ids.fixed(r.between(1, 9)),
		UserEmail: "manager@example.com",
	}
}

// clientIP returns an address from a range that is reserved for documentation.
func clientIP(r *rng) string { return "203.0.113." + strconv.Itoa(r.between(1, 254)) }
