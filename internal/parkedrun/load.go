package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// What the orders belong to.
const (
	eventID   = "event-that-comes-late"
	partnerID = "organizer"
	setID     = "set"
)

// Of every so many orders, one has a refund, and one a second version.
const (
	refundEvery = 20
	twiceEvery  = 51
)

// orderID is the id of order n. Their order is not that of the numbers: orders are parked in another order than they
// are released in.
func (r *parkRun) orderID(n int) string {
	return fmt.Sprintf("%08x-%07d", uint32(rand.NewPCG(r.seed, uint64(n)).Uint64()), n)
}

// orderNumber is the inverse of orderID, -1 for what is none.
func (r *parkRun) orderNumber(id string) int {
	_, text, _ := strings.Cut(id, "-")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= r.orders || r.orderID(n) != id {
		return -1
	}
	return n
}

func refundID(order string) string { return "refund-" + order }

func (r *parkRun) refundCount() int { return (r.orders + refundEvery - 1) / refundEvery }

func (r *parkRun) orderMessage(n, version int) *legacyproto.Order {
	random := rand.New(rand.NewPCG(r.seed+1, uint64(n)))
	m := &legacyproto.Order{
		Id: r.orderID(n), Number: int64(n), Event: eventID, Org: partnerID, Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{
			Name: fmt.Sprintf("Customer %d", version), Email: fmt.Sprintf("customer%d@example.com", n), Phone: fmt.Sprintf("+7900%07d", n%10_000_000),
		}},
		CreatedAt: timestamppb.New(time.Unix(1_750_000_000+int64(n), 0)),
		Sessions:  &legacyproto.Order_Sessions{Ga: fmt.Sprintf("GA1.2.%d.%d", random.Uint32(), random.Uint32()), Ym: strconv.FormatUint(random.Uint64(), 10)},
	}
	for i := range 1 + random.IntN(3) {
		m.Tickets = append(m.Tickets, &legacyproto.Order_Ticket{
			Id: fmt.Sprintf("ticket-%08d-%d", n, i), Barcode: strconv.FormatUint(2e12+random.Uint64N(1e12), 10), Number: int64(i + 1), Serial: "AA",
			Set: setID, Sector: "Stalls", Seat: &legacyproto.Order_Ticket_Seat{Row: strconv.Itoa(1 + n%40), Number: strconv.Itoa(i + 1)},
			Price: 250_000, Nominal: 250_000, Full: 262_500, Acquiring: 5_000,
		})
	}
	return m
}

func refundMessage(order string) *legacyproto.RefundRequest {
	return &legacyproto.RefundRequest{
		Id: refundID(order), Order: order, Event: eventID, Status: legacyproto.RefundRequest_APPROVED,
		Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "ticket-of-" + order}},
	}
}

func eventMessage() *legacyproto.Event {
	return &legacyproto.Event{
		Id: eventID, Name: "A concert that was announced late", Status: legacyproto.Event_PUBLIC, Org: partnerID,
		Lifetime: &legacyproto.Lifetime{Start: timestamppb.New(time.Unix(1_790_000_000, 0)), Finish: timestamppb.New(time.Unix(1_790_010_000, 0))},
		Sets:     []*legacyproto.Event_TicketSet{{Id: setID, Name: "Stalls"}},
	}
}

// writer writes legacy records, and remembers the first that failed.
type writer struct {
	client  *kgo.Client
	written int
	refused atomic.Pointer[error]
}

func (w *writer) write(ctx context.Context, topic, key string, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	w.client.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: b}, func(_ *kgo.Record, err error) {
		if err != nil {
			w.refused.CompareAndSwap(nil, &err)
		}
	})
	w.written++
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	if err := w.client.Flush(ctx); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := w.refused.Load(); err != nil {
		return fmt.Errorf("write: %w", *err)
	}
	return nil
}

// writeOrders writes all that is to wait.
func (r *parkRun) writeOrders(ctx context.Context) error {
	for n := range r.orders {
		id := r.orderID(n)
		if err := r.load.write(ctx, season.TopicOrders, id, r.orderMessage(n, 1)); err != nil {
			return err
		}
		if n%twiceEvery == 0 {
			if err := r.load.write(ctx, season.TopicOrders, id, r.orderMessage(n, 2)); err != nil {
				return err
			}
		}
		if n%refundEvery == 0 {
			if err := r.load.write(ctx, season.TopicRefunds, refundID(id), refundMessage(id)); err != nil {
				return err
			}
		}
	}
	return r.load.flush(ctx)
}

// writeEvent writes what they wait for.
func (r *parkRun) writeEvent(ctx context.Context) error {
	partner := &legacyproto.Partner{Id: partnerID, Name: "An organizer", Currency: "RUB"}
	if err := r.load.write(ctx, season.TopicPartners, partnerID, partner); err != nil {
		return err
	}
	if err := r.load.write(ctx, season.TopicEvents, eventID, eventMessage()); err != nil {
		return err
	}
	return r.load.flush(ctx)
}
