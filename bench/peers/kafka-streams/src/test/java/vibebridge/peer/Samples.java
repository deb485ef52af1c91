package vibebridge.peer;

import com.google.protobuf.Timestamp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Lifetime;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.Partner;
import vibebridge.peer.proto.RefundRequest;

/** Made-up legacy records and what they are mapped with. */
final class Samples {
    static final String DIRECTORY = """
            {"categories": [{"id": "c1", "name": "концерты"}, {"id": "c2", "name": " Development "}, {"id": "c3", "name": "Knitting"}],
             "cities": [{"id": 7, "name": "Kazan", "timezone": "Europe/Moscow"}],
             "venues": [{"id": "v1", "name": "Hall", "address": "1 Main st", "city": 7, "lat": 55.790, "lon": 0.0000001},
                        {"id": "v2", "name": "Nowhere"}]}
            """;

    private Samples() {}

    static Settings settings() {
        try {
            return new Settings("partners", "events", "orders_done", "refund_requests", "slim-events", "slim-orders", "slim-refunds",
                    "quarantine", "ticketscloud", 1, 1, 1, Directory.parse(DIRECTORY.getBytes(StandardCharsets.UTF_8)),
                    Duration.ofMinutes(10), Duration.ofMinutes(10), 1 << 20);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Partner.Builder partner(String id) {
        return Partner.newBuilder().setId(id).setName("Org of " + id).setCurrency("rub");
    }

    static Event.Builder event(String id) {
        return Event.newBuilder().setId(id).setName("Show").setOrg("P1").setCategory("c1").setVenue("v1")
                .setLifetime(Lifetime.newBuilder().setStart(at(1000)).setFinish(at(2000)))
                .addSets(Event.TicketSet.newBuilder().setId("S1").setName("Stalls").setDescription("near"));
    }

    static Timestamp at(long seconds) {
        return Timestamp.newBuilder().setSeconds(seconds).setNanos(999_999_999).build();
    }

    static Order.Builder order(String id) {
        return Order.newBuilder().setId(id).setStatus(Order.Status.DONE).setEvent("E1").setOrg("P1")
                .setSettings(Order.Settings.newBuilder().setCustomer(Order.Settings.Customer.newBuilder()
                        .setName("  Ann   Example ").setEmail("ann@example.com").setPhone("8 (900) 000-00-01")))
                .addTickets(Order.Ticket.newBuilder().setId("T1").setBarcode("b1").setNumber(5).setSerial("A").setSet("S1").setNominal(150000)
                        .setSeat(Order.Ticket.Seat.newBuilder().setRow("1").setNumber("2")));
    }

    static RefundRequest.Builder refund(String id) {
        return RefundRequest.newBuilder().setId(id).setStatus(RefundRequest.Status.APPROVED).setOrder("O1").setEvent("E1")
                .addTickets(RefundRequest.Ticket.newBuilder().setId("T1"));
    }
}
