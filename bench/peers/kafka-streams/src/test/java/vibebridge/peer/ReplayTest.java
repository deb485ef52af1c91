package vibebridge.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.MockProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.StoredEvent;

/**
 * What at-least-once needs: rows outlive a crash that the slim records did not, and the inputs that sent these come again.
 * The context here keeps what is forwarded; a record that is not in it after a replay would be lost for ever.
 */
class ReplayTest {
    private final MockProcessorContext<String, byte[]> context = new MockProcessorContext<>();
    private Gate gate;

    @BeforeEach
    void start() {
        store(Gate.EVENT_ROWS, Protos.serde(StoredEvent.parser()));
        store(Gate.ORDER_ROWS, OrderRow.SERDE);
        store(Gate.HOLDS, Serdes.Long());
        crash();
    }

    private <V> void store(String name, Serde<V> serde) {
        KeyValueStore<String, V> store =
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), serde).withLoggingDisabled().build();
        store.init(context.getStateStoreContext(), store);
        context.addStateStore(store);
    }

    private void crash() {
        context.resetForwards();
        gate = new Gate(Samples.settings());
        gate.init(context);
    }

    /** What an input makes the gate send, as sinks and keys. */
    private List<String> input(String topic, long offset, String key, Gate.Input value) {
        context.resetForwards();
        context.setRecordMetadata(topic, 0, offset);
        gate.process(new Record<>(key, value, 0));
        return context.forwarded().stream().map(f -> f.childName().orElseThrow() + " " + f.record().key()).toList();
    }

    private List<String> event(long offset, String name) {
        return input("joined", offset, "E1", new Gate.Joined(Samples.event("E1").setName(name).build(), Samples.partner("P1").build()));
    }

    private List<String> order(long offset, long legacyOffset, String id) {
        return order(offset, legacyOffset, id, "ann@example.com");
    }

    private List<String> order(long offset, long legacyOffset, String id, String email) {
        Order.Builder o = Samples.order(id);
        o.getSettingsBuilder().getCustomerBuilder().setEmail(email);
        byte[] facts = ((Intake.Facts) Intake.order(o.build().toByteArray())).message().toByteArray();
        return input("orders", offset, "E1", new Gate.Arrived(new Sourced(0, legacyOffset, 0, facts)));
    }

    private List<String> published(long offset) {
        return input("slim-events", offset, "E1", new Gate.Published());
    }

    @Test
    void theInputThatSentARecordSendsItAgain() {
        assertEquals(List.of("slim-events E1"), event(3, "Show"));
        crash();
        assertEquals(List.of("slim-events E1"), event(3, "Show"));
        assertEquals(List.of(), event(4, "Show"), "another input: it was sent, or its cause comes again");

        assertEquals(List.of(), order(7, 1, "O1"));
        assertEquals(List.of("slim-orders O1"), published(0));
        crash();
        assertEquals(List.of("slim-orders O1"), published(0));
        assertEquals(List.of(), published(1));
        assertEquals(List.of(), order(7, 1, "O1"), "its sending was another's");

        assertEquals(List.of("slim-orders O2"), order(8, 2, "O2"));
        crash();
        assertEquals(List.of("slim-orders O2"), order(8, 2, "O2"));
        assertEquals(List.of(), order(9, 3, "O2"));
    }

    @Test
    void aRowThatWasLostIsMadeAgain() {
        assertEquals(List.of(), published(0), "read back, and its row is gone");
        assertEquals(List.of(), order(1, 1, "O1"), "without its event's sets");
        assertEquals(List.of("slim-events E1", "slim-orders O1"), event(3, "Show"));
    }

    @Test
    void nothingOutlivesAnAbortedTransaction() {
        event(3, "Show");
        published(0);
        KeyValueStore<String, StoredEvent> rows = context.getStateStore(Gate.EVENT_ROWS);
        rows.delete("E1"); // as it was before; the task is made anew with the same processor
        gate.init(context);
        assertEquals(List.of(), order(7, 1, "O1"));
    }

    @Test
    void anOlderVersionIsNotTaken() {
        published(0);
        event(1, "Show");
        assertEquals(List.of("slim-orders O1"), order(2, 9, "O1"));
        assertEquals(List.of(), order(3, 8, "O1", "bob@example.com"));
        assertEquals(List.of("slim-orders O1"), order(4, 10, "O1", "bob@example.com"));
    }
}
