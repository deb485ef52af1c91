package vibebridge.peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.MessageLite;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Order;

/** Parking, release and re-emission, in one thread. */
class TopologyTest {
    @TempDir
    Path state;

    private TopologyTestDriver driver;
    private TestOutputTopic<String, byte[]> events;
    private TestOutputTopic<String, byte[]> orders;
    private TestOutputTopic<String, byte[]> refunds;
    private TestOutputTopic<byte[], byte[]> quarantine;

    @BeforeEach
    void start() {
        Properties p = new Properties();
        p.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        driver = new TopologyTestDriver(PeerTopology.build(Samples.settings()), p);
        events = driver.createOutputTopic("slim-events", new StringDeserializer(), new ByteArrayDeserializer());
        orders = driver.createOutputTopic("slim-orders", new StringDeserializer(), new ByteArrayDeserializer());
        refunds = driver.createOutputTopic("slim-refunds", new StringDeserializer(), new ByteArrayDeserializer());
        quarantine = driver.createOutputTopic("quarantine", new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    @AfterEach
    void stop() {
        driver.close();
    }

    private void pipe(String topic, byte[] value) {
        TestInputTopic<byte[], byte[]> in = driver.createInputTopic(topic, new ByteArraySerializer(), new ByteArraySerializer());
        in.pipeInput("any key".getBytes(StandardCharsets.UTF_8), value);
    }

    private void pipe(String topic, MessageLite.Builder m) {
        pipe(topic, m.build().toByteArray());
    }

    /** Keys of what came since the last look. */
    private static List<String> keys(TestOutputTopic<String, byte[]> topic) {
        List<String> keys = new ArrayList<>();
        topic.readRecordsToList().forEach(r -> keys.add(r.key()));
        return keys;
    }

    private static String value(TestOutputTopic<String, byte[]> topic) {
        List<TestRecord<String, byte[]>> all = topic.readRecordsToList();
        assertEquals(1, all.size());
        return new String(all.get(0).value(), StandardCharsets.UTF_8);
    }

    @Test
    void ordersAndRefundsWaitForWhatTheyNeed() {
        pipe("refund_requests", Samples.refund("R1"));
        pipe("orders_done", Samples.order("O1"));
        pipe("orders_done", Samples.order("O2"));
        pipe("orders_done", Samples.order("O9").setEvent("E9"));
        pipe("events", Samples.event("E1"));
        assertEquals(List.of(), keys(events), "an event waits for its partner");
        assertEquals(List.of(), keys(orders));
        pipe("partners", Samples.partner("P1"));
        assertEquals(List.of("E1"), keys(events));
        assertEquals(new TreeSet<>(List.of("O1", "O2")), new TreeSet<>(keys(orders)));
        assertEquals(List.of("R1"), keys(refunds));
        pipe("orders_done", Samples.order("O3"));
        assertEquals(List.of("O3"), keys(orders), "at once");
    }

    private void season() {
        pipe("partners", Samples.partner("P1"));
        pipe("events", Samples.event("E1"));
        pipe("orders_done", Samples.order("O1"));
        pipe("refund_requests", Samples.refund("R1"));
        assertEquals(List.of("E1", "O1", "R1"), List.of(keys(events).get(0), keys(orders).get(0), keys(refunds).get(0)));
    }

    @Test
    void changesReachDependents() {
        season();
        pipe("partners", Samples.partner("P1").setCurrency("EUR"));
        assertEquals(List.of(), keys(events), "an event has no currency");
        assertTrue(value(orders).contains("\"currency\":\"EUR\""));
        pipe("events", Samples.event("E1").setSets(0, Event.TicketSet.newBuilder().setId("S1").setName("Balcony")));
        assertEquals(List.of(), keys(events), "an event has no sets");
        assertTrue(value(orders).contains("\"category\":\"Balcony\""));
        assertEquals(List.of(), keys(refunds), "the customer is the same");
        Order.Builder other = Samples.order("O1");
        other.getSettingsBuilder().getCustomerBuilder().setEmail("bob@example.com");
        pipe("orders_done", other);
        assertTrue(value(orders).contains("bob@example.com"));
        assertTrue(value(refunds).contains("bob@example.com"));
        pipe("partners", Samples.partner("P1").setCurrency("EUR").setName("New name"));
        assertTrue(value(events).contains("New name"));
        assertEquals(List.of(), keys(orders));
    }

    @Test
    void whatChangesNothingIsNotSentAgain() {
        season();
        pipe("partners", Samples.partner("P1"));
        pipe("events", Samples.event("E1"));
        pipe("orders_done", Samples.order("O1"));
        pipe("refund_requests", Samples.refund("R1"));
        assertEquals(List.of(), keys(events));
        assertEquals(List.of(), keys(orders));
        assertEquals(List.of(), keys(refunds), "the order was not sent again");
        pipe("events", Samples.event("E1").setLifetime(Samples.event("E1").getLifetime().toBuilder().setStart(Samples.at(1000).toBuilder().setNanos(0))));
        assertEquals(List.of(), keys(events), "news that no slim field shows");
        assertEquals(List.of(), keys(orders));
        pipe("orders_done", Samples.order("O1").setStatus(Order.Status.CANCELLED));
        assertEquals(List.of(), keys(orders));
    }

    @Test
    void holdsEnd() {
        pipe("events", Samples.event("E1"));
        pipe("orders_done", Samples.order("O1").addTickets(Order.Ticket.newBuilder().setId("T2").setSet("late")));
        pipe("events", Samples.event("E2").setOrg("")); // nothing to wait for
        assertEquals(List.of("E2"), keys(events));
        driver.advanceWallClockTime(Duration.ofMinutes(9));
        assertEquals(List.of(), keys(events));
        driver.advanceWallClockTime(Duration.ofMinutes(2));
        assertTrue(!value(events).contains("organizer"));
        assertEquals(List.of(), keys(orders), "a set is unknown");
        driver.advanceWallClockTime(Duration.ofMinutes(11));
        assertTrue(value(orders).contains("\"id\":\"T2\",\"event_id\":\"E1\",\"organizer_id\":\"P1\",\"barcode\":\"\",\"category\":\"\""));
        driver.advanceWallClockTime(Duration.ofMinutes(30));
        assertEquals(List.of(), keys(orders), "once");
        pipe("events", Samples.event("E1").addSets(Event.TicketSet.newBuilder().setId("late").setName("Late")));
        assertTrue(value(orders).contains("Late"));
        pipe("partners", Samples.partner("P1"));
        assertTrue(value(events).contains("organizer"));
        assertTrue(value(orders).contains("RUB"));
    }

    @Test
    void theEndOfAHoldDoesNotBringBackAnOlderVersion() {
        driver.advanceWallClockTime(Duration.ofSeconds(1)); // holds are looked for every 5 s, and this one ends between two looks
        pipe("events", Samples.event("E1").setName("Old"));
        driver.advanceWallClockTime(Duration.ofSeconds(599));
        assertEquals(List.of(), keys(events));
        driver.advanceWallClockTime(Duration.ofSeconds(2));
        pipe("events", Samples.event("E1").setName("New"));
        assertTrue(value(events).contains("New"));
        driver.advanceWallClockTime(Duration.ofSeconds(20));
        assertEquals(List.of(), keys(events));
    }

    @Test
    void anEventMovesToAnotherPartner() {
        season();
        pipe("partners", Samples.partner("P2").setCurrency("usd"));
        pipe("events", Samples.event("E1").setOrg("P2"));
        assertTrue(value(events).contains("Org of P2"));
        assertTrue(value(orders).contains("USD"));
        pipe("partners", Samples.partner("P1").setName("Old one"));
        assertEquals(List.of(), keys(events));
    }

    @Test
    void recordsCarryTheHeaders() {
        pipe("partners", Samples.partner("P1"));
        pipe("events", Samples.event("E1"));
        List<String> got = new ArrayList<>();
        for (Header h : events.readRecord().headers()) {
            got.add(h.key() + "=" + new String(h.value(), StandardCharsets.UTF_8));
        }
        assertEquals(List.of("content-type=application/json", "schema-version=1.0", "application-id=ticketscloud"), got);
    }

    @Test
    void badRecordsGoToQuarantineAsTheyWere() {
        pipe("orders_done", new byte[] {(byte) 0xff});
        pipe("orders_done", new byte[0]);
        pipe("events", Samples.event("E1").setName(""));
        List<TestRecord<byte[], byte[]>> bad = quarantine.readRecordsToList();
        assertEquals(2, bad.size());
        assertArrayEquals(new byte[] {(byte) 0xff}, bad.get(0).value());
        assertEquals("any key", new String(bad.get(0).key(), StandardCharsets.UTF_8));
        assertEquals("undecodable", header(bad.get(0), "__connect.errors.class.name"));
        assertEquals("orders_done/0/0", header(bad.get(0), "__connect.errors.topic") + "/"
                + header(bad.get(0), "__connect.errors.partition") + "/" + header(bad.get(0), "__connect.errors.offset"));
        assertEquals("event_without_name", header(bad.get(1), "__connect.errors.class.name"));
    }

    private static String header(TestRecord<byte[], byte[]> r, String name) {
        return new String(r.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }
}
