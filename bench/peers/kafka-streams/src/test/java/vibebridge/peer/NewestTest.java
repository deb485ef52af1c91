package vibebridge.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.processor.api.MockProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.junit.jupiter.api.Test;
import vibebridge.peer.proto.Partner;

class NewestTest {
    private final Newest<Partner> newest = new Newest<>("versions", Partner.parser());

    /** What passes, as a name; "" for nothing. */
    private String pass(int partition, long offset, long time, String name) {
        byte[] facts = Partner.newBuilder().setId("P1").setName(name).build().toByteArray();
        return newest.takes("P1", new Sourced(partition, offset, time, facts)) ? name : "";
    }

    @Test
    void onlyNewsPass() {
        KeyValueStore<String, byte[]> store = Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore("versions"), Serdes.String(), Serdes.ByteArray()).withLoggingDisabled().build();
        store.init(new MockProcessorContext<>().getStateStoreContext(), store);
        newest.versions = store;
        assertEquals("a", pass(0, 1, 10, "a"));
        assertEquals("", pass(0, 2, 11, "a"), "says the same");
        assertEquals("b", pass(0, 4, 12, "b"));
        assertEquals("", pass(0, 3, 99, "c"), "older by offset, whatever the time");
        assertEquals("b", pass(0, 4, 12, "b"), "a replay of what is stored");
        assertEquals("", pass(1, 7, 11, "c"), "older by time in another partition");
        assertEquals("c", pass(1, 8, 13, "c"));
        assertEquals("", pass(2, 1, 15, "c"), "says the same, but counts");
        assertEquals("", pass(1, 9, 14, "d"));
    }
}
