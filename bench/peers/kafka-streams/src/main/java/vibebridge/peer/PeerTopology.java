package vibebridge.peer;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Partner;
import vibebridge.peer.proto.StoredEvent;
import vibebridge.peer.proto.StoredRefunds;

/** The topology. README.md says why it is like this. */
final class PeerTopology {
    private static final Serde<String> STRING = Serdes.String();
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();

    private final Settings s;
    private final StreamsBuilder builder = new StreamsBuilder();

    private PeerTopology(Settings s) {
        this.s = s;
    }

    static Topology build(Settings s) {
        PeerTopology t = new PeerTopology(s);
        t.build();
        Properties p = new Properties();
        // The slim orders topic is the changelog of the table that is read from it.
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.REUSE_KTABLE_SOURCE_TOPICS);
        return t.builder.build(p);
    }

    private void build() {
        KTable<String, Partner> partners =
                newest("partners", legacy("partners", s.partners(), Intake::partner, s.partitions()), Partner.parser());
        KTable<String, Event> events =
                newest("events", legacy("events", s.events(), Intake::event, s.partitions()), Event.parser());
        KStream<String, Gate.Input> joined = events
                .leftJoin(partners, e -> e.getOrg().isEmpty() ? null : e.getOrg(), Gate.Joined::new, TableJoined.as("organizers"))
                .toStream()
                .mapValues(j -> (Gate.Input) j);
        KStream<String, Gate.Input> orders = legacy("orders", s.orders(), Intake::order, s.partitions())
                .mapValues(o -> (Gate.Input) new Gate.Arrived(o));
        KStream<String, Gate.Input> publishedEvents = publishedEvents().mapValues(v -> (Gate.Input) new Gate.Published());

        store(Gate.EVENT_ROWS, Protos.serde(StoredEvent.parser()), false);
        store(Gate.ORDER_ROWS, OrderRow.SERDE, false);
        store(Gate.HOLDS, Serdes.Long(), false);
        KStream<String, byte[]> gate = joined.merge(publishedEvents).merge(orders)
                .process(() -> new Gate(s), Named.as("gate"), Gate.EVENT_ROWS, Gate.ORDER_ROWS, Gate.HOLDS);
        gate.to(s.slimEvents(), Produced.with(STRING, BYTES).withName(Gate.EVENT_SINK));
        gate.to(s.slimOrders(), Produced.with(STRING, BYTES).withName(Gate.ORDER_SINK));

        KStream<String, RefundGate.Input> publishedOrders = builder.table(s.slimOrders(),
                        Consumed.with(STRING, BYTES).withName("read-slim-orders"),
                        Materialized.<String, byte[], KeyValueStore<Bytes, byte[]>>as(RefundGate.PUBLISHED_ORDERS).withCachingDisabled())
                .toStream()
                .filter((id, v) -> v != null)
                .mapValues(v -> (RefundGate.Input) new RefundGate.Published(v));
        KStream<String, RefundGate.Input> refunds = legacy("refunds", s.refunds(), Intake::refund, s.slimOrderPartitions())
                .mapValues(f -> (RefundGate.Input) new RefundGate.Arrived(f));

        store(RefundGate.REFUND_ROWS, Protos.serde(StoredRefunds.parser()), false);
        publishedOrders.merge(refunds)
                .process(() -> new RefundGate(s), Named.as("refund-gate"), RefundGate.PUBLISHED_ORDERS, RefundGate.REFUND_ROWS)
                .to(s.slimRefunds(), Produced.with(STRING, BYTES).withName(RefundGate.REFUND_SINK));
    }

    /** Reads a legacy topic, and moves what is good in it to the partition of the id in its payload. */
    private KStream<String, Sourced> legacy(String name, String topic, Intake.Check check, int partitions) {
        KStream<String, Intake.Result> all = builder
                .stream(topic, Consumed.with(BYTES, BYTES).withName(name + "-legacy"))
                .process(() -> new Intake(check), Named.as(name + "-intake"));
        all.filter((k, v) -> v instanceof Intake.Rejected)
                .process(Quarantine::new, Named.as(name + "-bad"))
                .to(s.quarantine(), Produced.with(BYTES, BYTES));
        return all.filter((k, v) -> v instanceof Sourced)
                .mapValues(v -> (Sourced) v)
                .repartition(Repartitioned.with(STRING, Sourced.SERDE).withNumberOfPartitions(partitions).withName(name));
    }

    /** The table of what the newest versions say. Only what is news gets into it. */
    private <M extends MessageLite> KTable<String, M> newest(
            String name, KStream<String, Sourced> versions, Parser<M> parser) {
        String store = name + "-versions";
        store(store, BYTES, true);
        return versions
                .processValues(() -> new Newest<>(store, parser), Named.as(name + "-newest"), store)
                .toTable(Materialized.<String, M, KeyValueStore<Bytes, byte[]>>as(name + "-facts")
                        .withKeySerde(STRING).withValueSerde(Protos.serde(parser))
                        .withCachingDisabled()); // a cache would hold updates back until the next commit
    }

    /**
     * The slim events, as a sign of themselves. Read as they are, if the topic has as many partitions as the gate: both
     * are partitioned by event id in the same way.
     */
    private KStream<String, byte[]> publishedEvents() {
        KStream<String, byte[]> slim = builder.stream(s.slimEvents(), Consumed.with(STRING, BYTES).withName("read-slim-events"));
        if (s.slimEventPartitions() == s.partitions()) {
            return slim;
        }
        return slim.mapValues(v -> new byte[0])
                .repartition(Repartitioned.with(STRING, BYTES).withNumberOfPartitions(s.partitions()).withName("published-events"));
    }

    private <V> void store(String name, Serde<V> values, boolean cached) {
        StoreBuilder<KeyValueStore<String, V>> b = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), STRING, values);
        builder.addStateStore(cached ? b.withCachingEnabled() : b);
    }
}
