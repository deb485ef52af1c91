package season

import (
	"strconv"
	"strings"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// customer returns one of the season's customers. They are derived from their
// numbers, so that a customer who comes back is the same without being kept.
func (g *generator) customer() *legacyproto.Order_Settings_Customer {
	number := g.random.intn(g.cfg.Orders*3/4 + 1)
	r := newRNG(mix(g.cfg.Seed, uint64(number)+1_000_000_000))
	return &legacyproto.Order_Settings_Customer{
		User:    g.ids.at(idOther, uint64(number), g.cfg.Start.Unix()),
		Name:    customerName(r),
		Email:   "customer" + strconv.Itoa(number) + "@mail.example.com",
		Phone:   customerPhone(r),
		Lang:    pick(r, []string{"ru", "ru", "ru", "en"}),
		Session: g.newID(idOther),
	}
}

// customerName writes a name in one of the ways that people do.
func customerName(r *rng) string {
	first, last, patronymic := pick(r, maleNames), pick(r, surnames), pick(r, malePatronymics)
	if r.chance(0.5) {
		first, last, patronymic = pick(r, femaleNames), pick(r, surnames)+"а", pick(r, femalePatronymics)
	}
	switch n := r.intn(100); {
	case n < 45:
		return first + " " + last
	case n < 72:
		return last + " " + first + " " + patronymic
	case n < 80:
		return last + " " + first
	case n < 85:
		return first
	case n < 89:
		return "  " + first + "   " + last + " "
	case n < 91:
		return strings.ToUpper(last + " " + first)
	case n < 93:
		return pick(r, eastNames)
	default:
		return pick(r, latinNames)
	}
}

// customerPhone writes a telephone number in one of the ways that people do.
// The numbers are possible but belong to nobody: +7 900 000-xx-xx, and the
// ranges that Britain and North America keep for fiction.
func customerPhone(r *rng) string {
	a, b := r.digits(2), r.digits(2)
	switch n := r.intn(100); {
	case n < 35:
		return "+7900000" + a + b
	case n < 50:
		return "8 (900) 000-" + a + "-" + b
	case n < 60:
		return "8900000" + a + b
	case n < 70:
		return "+7 (900) 000-" + a + "-" + b
	case n < 78:
		return "7900000" + a + b
	case n < 86:
		return "900000" + a + b
	case n < 91:
		return "8-900-000-" + a + "-" + b
	case n < 95:
		return "+7 900 000 " + a + " " + b
	case n < 98:
		return "+44 20 7946 0" + a + b[:1]
	default:
		return "+1 202 555 01" + a
	}
}
