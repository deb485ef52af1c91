package vibebridge.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.google.protobuf.MessageLite;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Lifetime;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.Partner;
import vibebridge.peer.proto.RefundRequest;

class MappingTest {
    private static final Directory DIRECTORY = Samples.settings().directory();

    private static String event(Event.Builder e, Partner.Builder p) {
        return new String(SlimJson.event(e.build(), p == null ? null : p.build(), DIRECTORY), StandardCharsets.UTF_8);
    }

    private static final String HEAD = "{\"id\":\"E1\",\"name\":\"Show\",\"category\":\"concert\",\"start_at\":1000,\"finish_at\":2000,"
            + "\"timezone\":\"Europe/Moscow\"";
    private static final String VENUE = ",\"venue\":{\"id\":\"v1\",\"name\":\"Hall\",\"address\":\"1 Main st\",\"city_name\":\"Kazan\","
            + "\"lat\":55.79,\"lon\":0.0000001}}";

    @Test
    void eventWithOrganizer() {
        assertEquals(HEAD + VENUE, event(Samples.event("E1"), null), "partner not seen");
        assertEquals(HEAD + ",\"organizer\":{\"id\":\"P1\",\"name\":\"Org of P1\"}" + VENUE, event(Samples.event("E1"), Samples.partner("P1")));
        assertEquals(HEAD + VENUE, event(Samples.event("E1"), Samples.partner("P1").setName("")), "a name is required");
    }

    @Test
    void eventAlone() {
        Event.Builder e = Samples.event("E1").setMeta("G").setVenue("v2").setCategory("c2").setDescription("a \"quoted\" <b> Ж 🎭")
                .setMedia(Event.Media.newBuilder().setCoverSmall("small").setCoverOriginal("original"))
                .setLifetime(Lifetime.newBuilder().setFinish(Samples.at(2000)));
        assertEquals("{\"id\":\"E1\",\"group_id\":\"G\",\"name\":\"Show\",\"category\":\"develpoment\",\"start_at\":2000,\"finish_at\":2000,"
                + "\"media\":\"original\",\"description\":\"a \\\"quoted\\\" <b> Ж 🎭\",\"venue\":{\"id\":\"v2\",\"name\":\"Nowhere\"}}", event(e, null));
        assertEquals("{\"id\":\"E1\",\"name\":\"Show\",\"category\":\"other\",\"start_at\":1000,\"finish_at\":2000}",
                event(Samples.event("E1").setCategory("c3").setVenue("unknown"), null));
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
        // event's type, ogrnip, inn; partner's ogrnip, inn; wanted name, type
        "0, -, 1234567890, -, -, Own, ru_ltd",
        "1, -, 1234567890, -, -, Own, ru_lp",
        "9, -, 123456789012, -, -, Own, ru_lp",
        "9, -, 12345678901x, -, -, Own, ru_ltd",
        "-, -, -, 5, -, Org of P1, ru_lp",
        "-, -, -, -, 1234567890, Org of P1, ru_ltd",
    })
    void legals(Integer type, String ogrnip, String inn, String partnerOgrnip, String partnerInn, String name, String want) {
        Event.Builder e = Samples.event("E1").setVenue("");
        if (type != null) {
            e.getLegalRuBuilder().setTypeValue(type).setName("Own").setInn(inn);
        }
        Partner.Builder p = Samples.partner("P1");
        if (partnerOgrnip != null) {
            p.getLegalBuilder().setOgrnip(partnerOgrnip);
        }
        if (partnerInn != null) {
            p.getLegalBuilder().setInn(partnerInn);
        }
        String legals = event(e, p).replaceAll(".*\"legals\":", "");
        assertEquals("{\"name\":\"" + name + "\",\"type\":\"" + want + "\"", legals.replaceAll(",\"(inn|ogrn).*|}.*", ""));
    }

    @Test
    void orderTakesSetsOrganizerAndCurrencyFromItsEvent() {
        Intake.Facts facts = (Intake.Facts) Intake.order(Samples.order("O1").setOrg("")
                .addTickets(Order.Ticket.newBuilder().setId("T2").setSet("unknown")).build().toByteArray());
        assertEquals("E1", facts.key());
        Map<String, Event.TicketSet> sets = Map.of("S1", Samples.event("E1").getSets(0));
        String want = "{\"id\":\"O1\",\"customer\":{\"email\":\"ann@example.com\",\"phone\":\"+79000000001\",\"name\":\"Ann Example\"},\"tickets\":["
                + "{\"id\":\"T1\",\"event_id\":\"E1\",\"organizer_id\":\"P9\",\"barcode\":\"b1\",\"number\":\"5\",\"series\":\"A\",\"row\":\"1\",\"seat\":\"2\","
                + "\"category\":\"Stalls\",\"description\":\"near\",\"price_nominal\":150000,\"currency\":\"RUB\"},"
                + "{\"id\":\"T2\",\"event_id\":\"E1\",\"organizer_id\":\"P9\",\"barcode\":\"\",\"category\":\"\",\"price_nominal\":0,\"currency\":\"RUB\"}]}";
        byte[] got = SlimJson.order((Order) facts.message(), sets, "P9", Texts.currency("rub"));
        assertEquals(want, new String(got, StandardCharsets.UTF_8));
        assertEquals("{\"customer\":{\"email\":\"ann@example.com\",\"phone\":\"+79000000001\",\"name\":\"Ann Example\"},\"ticket_ids\":[\"T1\",\"T2\"]}",
                new String(SlimJson.refund(SlimJson.customerOf(got), List.of("T1", "T2")), StandardCharsets.UTF_8));
    }

    @Test
    void customerOfAnythingElse() {
        for (String json : List.of("", "[]", "{}", "{\"id\":\"customer\"}", "{\"id\":", "x")) {
            assertNull(SlimJson.customerOf(json.getBytes(StandardCharsets.UTF_8)), json);
        }
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
        "8 (900) 000-00-01, +79000000001", "+7 900 000-00-02;, +79000000002", "9000000003, +79000000003", "abc, -", "12, -", "+, -",
    })
    void phones(String text, String want) {
        assertEquals(want, Texts.phone(text));
    }

    @Test
    void names() {
        assertEquals("Ann B. Example", Texts.collapse("\u00a0Ann\t\u2003B.\n Example\u0085"));
        assertEquals("", Texts.collapse(" \u3000"));
        assertEquals("", Texts.currency("kzt"));
        assertEquals("CNY", Texts.currency("cny"));
    }

    private static String verdict(Intake.Verdict v) {
        return v == null ? "skipped" : v instanceof Intake.Bad b ? b.reason() : "good";
    }

    private static byte[] bytes(MessageLite.Builder m) {
        return m.build().toByteArray();
    }

    @Test
    void verdictsInTheOrderOfTheContract() {
        assertEquals("partner_without_id", verdict(Intake.partner(bytes(Partner.newBuilder().setName("x")))));
        assertEquals("event_without_id", verdict(Intake.event(bytes(Event.newBuilder()))));
        assertEquals("event_without_name", verdict(Intake.event(bytes(Event.newBuilder().setId("E")))));
        assertEquals("event_without_dates", verdict(Intake.event(bytes(Samples.event("E").clearLifetime()))));
        assertEquals("event_without_dates", verdict(Intake.event(bytes(Samples.event("E")
                .setLifetime(Lifetime.newBuilder().setStart(Samples.at(253402300800L)))))), "beyond the year 9999");
        assertEquals("skipped", verdict(Intake.order(bytes(Order.newBuilder().setStatusValue(77)))));
        assertEquals("order_without_id", verdict(Intake.order(bytes(Samples.order("").clearEvent()))));
        assertEquals("order_without_event", verdict(Intake.order(bytes(Samples.order("O").clearEvent().clearSettings()))));
        assertEquals("skipped", verdict(Intake.order(bytes(Samples.order("O").clearSettings()))), "no phone");
        Order.Builder o = Samples.order("O");
        o.getSettingsBuilder().getCustomerBuilder().setPhone("none");
        assertEquals("invalid_phone", verdict(Intake.order(bytes(o.clearTickets()))));
        assertEquals("ticket_without_id", verdict(Intake.order(bytes(Samples.order("O").addTickets(Order.Ticket.newBuilder())))));
        assertEquals("skipped", verdict(Intake.order(bytes(Samples.order("O").clearTickets()))), "no tickets");
        assertEquals("good", verdict(Intake.order(bytes(Samples.order("O")))));
        assertEquals("skipped", verdict(Intake.refund(bytes(Samples.refund("").setStatus(RefundRequest.Status.NEW)))));
        assertEquals("refund_without_id", verdict(Intake.refund(bytes(Samples.refund("").clearOrder()))));
        assertEquals("refund_without_order", verdict(Intake.refund(bytes(Samples.refund("R").clearOrder().clearEvent()))));
        assertEquals("refund_without_event", verdict(Intake.refund(bytes(Samples.refund("R").clearEvent()))));
        assertEquals("refund_without_tickets", verdict(Intake.refund(bytes(Samples.refund("R").clearTickets().addTickets(RefundRequest.Ticket.newBuilder())))));
        assertEquals("good", verdict(Intake.refund(bytes(Samples.refund("R")))));
    }

    @Test
    void brokenBytes() {
        byte[] good = bytes(Samples.event("E1"));
        assertEquals("undecodable", verdict(Intake.event(Arrays.copyOf(good, good.length - 1))));
        byte[] badText = good.clone();
        badText[2] = (byte) 0xff; // in the id
        assertEquals("invalid_utf8", verdict(Intake.event(badText)));
        assertEquals("undecodable", verdict(Intake.event(Arrays.copyOf(badText, badText.length - 1))), "broken behind the bad text");
        byte[] unread = {(byte) 0x6a, 1, (byte) 0xff}; // age_rating: no slim field is made of it
        byte[] both = Arrays.copyOf(good, good.length + 3);
        System.arraycopy(unread, 0, both, good.length, 3);
        assertEquals("good", verdict(Intake.event(both)));
    }
}
