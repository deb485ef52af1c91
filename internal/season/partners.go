package season

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// partnerUpdatesPerOrder is how many records the partners topic has per order.
const partnerUpdatesPerOrder = 0.005

// partner is what the generator remembers of an organizer.
type partner struct {
	id        string
	name      string
	currency  string
	address   int
	soleTrade bool
	balance   int64
	created   time.Time
	published bool // its record is out, or was withheld for good
	trouble   Kind
}

// requirePartner makes the partner known before the first use of it.
func (g *generator) requirePartner(index int) *partner {
	p := &g.partners[index]
	if p.id != "" {
		return p
	}
	r := &g.random
	*p = partner{
		id:        g.newID(idPartner),
		name:      partnerName(r, index),
		currency:  pick(r, usualCurrencies),
		address:   r.intn(1000),
		soleTrade: r.chance(0.3),
		created:   g.clock.AddDate(0, -r.between(1, 60), 0),
		trouble:   g.partnerTrouble.next(r),
	}
	g.count(p.trouble)
	switch p.trouble {
	case PartnerNever:
		return p
	case PartnerLate:
		g.later(400, func() { g.publishPartner(p) })
		return p
	case PartnerUnknownCurrency:
		p.currency = pick(r, unknownCurrencies)
	case PartnerWithoutName:
		p.name = ""
	}
	g.publishPartner(p)
	return p
}

func partnerName(r *rng, index int) string {
	number := strconv.Itoa(index + 1)
	return pick(r, []string{"Продюсерский центр «", "Агентство «", "Театр «", "Клуб «", "Группа «"}) + pick(r, titles) + "» №" + number
}

func (g *generator) publishPartner(p *partner) {
	if !p.published {
		p.published = true
		g.totals.Entities[TopicPartners]++
	}
	g.publish(TopicPartners, p.id, g.encodePartner(p))
}

func (g *generator) encodePartner(p *partner) []byte { return marshal(g.partnerMessage(p)) }

// updatePartner publishes a partner again. Most of the time nothing has
// changed that concerns an event or a ticket.
func (g *generator) updatePartner(index int) {
	p := &g.partners[index]
	if !p.published {
		return
	}
	r := &g.random
	p.balance += int64(r.intn(1_000_000))
	if r.chance(0.25) {
		changePartner(r, p)
	}
	kind := g.partnerUpdateTrouble.next(r)
	g.count(kind)
	switch kind {
	case PartnerWithoutID:
		m := g.partnerMessage(p)
		m.Id = ""
		g.publish(TopicPartners, p.id, marshal(m))
	case PartnerGarbage:
		g.publish(TopicPartners, p.id, garbage(r))
	case PartnerTruncated:
		g.publish(TopicPartners, p.id, truncate(r, g.encodePartner(p)))
	case PartnerInvalidUTF8:
		g.publish(TopicPartners, p.id, appendInvalidText(g.encodePartner(p), 2))
	case PartnerTombstone:
		g.publish(TopicPartners, p.id, nil)
	case PartnerEmpty:
		g.publish(TopicPartners, p.id, []byte{})
	case PartnerDuplicate:
		value := g.encodePartner(p)
		g.publishLater(300, TopicPartners, p.id, value)
		g.publish(TopicPartners, p.id, value)
	default:
		g.publishPartner(p)
	}
}

func changePartner(r *rng, p *partner) {
	switch r.intn(3) {
	case 0:
		p.currency = pick(r, usualCurrencies)
	case 1:
		p.name = strings.TrimSuffix(p.name, " (ребрендинг)") + " (ребрендинг)"
	default:
		p.address = r.intn(1000)
	}
}

func (g *generator) partnerMessage(p *partner) *legacyproto.Partner {
	m := &legacyproto.Partner{
		Id:          p.id,
		Name:        p.name,
		Role:        "organizer",
		Desc:        sentences[p.address%len(sentences)],
		Status:      legacyproto.Partner_APPROVED,
		Manager:     g.ids.fixed(1),
		SaleManager: g.ids.fixed(2),
		CreatedAt:   timestamppb.New(p.created),
		ApprovedAt:  timestamppb.New(p.created.AddDate(0, 0, 2)),
		UpdatedAt:   g.timestamp(),
		ContactCore: &legacyproto.Partner_ContactDetails{Email: "office@example.com", Phones: []string{"+79000000000"}},
		Contact: &legacyproto.Partner_ContactDetails{
			Position: "директор", Address: streetAddress(p.address), Www: "https://example.com", Email: "contact@example.com",
			Phones: []string{"+7 (900) 000-00-01", "8 900 000 00 02"},
		},
		Currency:              p.currency,
		Owner:                 g.ids.fixed(3),
		Creator:               g.ids.fixed(4),
		StandardTerm:          &legacyproto.Partner_Term{Org: percent(5, 0), Extra: percent(7, 500_000_000), Agent: percent(3, 0)},
		Categories:            []string{shows[p.address%len(shows)].category},
		Tags:                  []string{tagNames[p.address%len(tagNames)]},
		OrgExtra:              percent(1, 250_000_000),
		BalanceLimit:          -p.balance,
		AgreeSharingCustomers: true,
		GdprAgree:             true,
		Legal:                 partnerLegal(p),
	}
	return m
}

func partnerLegal(p *partner) *legacyproto.Partner_Legal {
	number := int64(p.address)
	legal := &legacyproto.Partner_Legal{Address: streetAddress(p.address)}
	if p.soleTrade {
		legal.Name = "ИП Организатор " + strconv.Itoa(p.address)
		legal.Inn = padded(number, 12)
		legal.Ogrns = &legacyproto.Partner_Legal_Ogrnip{Ogrnip: padded(number, 15)}
		return legal
	}
	legal.Name = "ООО «Организатор " + strconv.Itoa(p.address) + "»"
	legal.Inn = padded(number, 10)
	legal.Ogrns = &legacyproto.Partner_Legal_Ogrn{Ogrn: padded(number, 13)}
	return legal
}

// padded writes a number with leading zeros, which no real taxpayer has that
// many of.
func padded(number int64, width int) string {
	text := strconv.FormatInt(number, 10)
	if len(text) >= width {
		return text
	}
	return strings.Repeat("0", width-len(text)) + text
}

func streetAddress(number int) string {
	return streets[number%len(streets)] + ", д. " + strconv.Itoa(number%120+1)
}

func percent(units int32, nanos uint32) *legacyproto.Percentage {
	return &legacyproto.Percentage{Units: units, Nanos: nanos}
}

// rate returns a share and what it came to. An order has dozens of these, so
// the two messages are allocated together.
func rate(units int32, amount int64) *legacyproto.ValueAmount {
	var both struct {
		value legacyproto.ValueAmount
		share legacyproto.Percentage
	}
	both.share.Units = units
	both.value.Value = &both.share
	both.value.Amount = amount
	return &both.value
}

func (g *generator) count(kind Kind) {
	if kind != noTrouble {
		g.totals.Hostile[kind]++
	}
}
