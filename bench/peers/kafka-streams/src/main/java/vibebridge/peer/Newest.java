package vibebridge.peer;

import com.google.protobuf.Parser;
import java.nio.ByteBuffer;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Lets only news pass: versions that are newer than the last one and say something else. Partners and events are
 * published again and again for reasons that no slim record shows, and a foreign-key join would do all its work for
 * each of them.
 *
 * <p>The version that is in the store passes again when it is replayed: with at-least-once its row may have outlived
 * the crash that what was forwarded for it did not.
 */
final class Newest<M> implements FixedKeyProcessor<String, Sourced, M> {
    private static final int ROW_BYTES = Sourced.POSITION_BYTES + 8;

    private final String storeName;
    private final Parser<M> parser;
    private FixedKeyProcessorContext<String, M> context;
    KeyValueStore<String, byte[]> versions;

    Newest(String storeName, Parser<M> parser) {
        this.storeName = storeName;
        this.parser = parser;
    }

    @Override
    public void init(FixedKeyProcessorContext<String, M> context) {
        this.context = context;
        versions = context.getStateStore(storeName);
    }

    @Override
    public void process(FixedKeyRecord<String, Sourced> r) {
        if (takes(r.key(), r.value())) {
            context.forward(r.withValue(Protos.parse(parser, r.value().facts())));
        }
    }

    boolean takes(String key, Sourced s) {
        long digest = Digest.of(s.facts());
        byte[] row = versions.get(key);
        if (row != null) {
            ByteBuffer b = ByteBuffer.wrap(row);
            int partition = b.getInt();
            int order = Sourced.compare(s.partition(), s.offset(), s.time(), partition, b.getLong(), b.getLong());
            if (order < 0) {
                return false;
            }
            if (order > 0 && b.getLong() == digest) {
                if (partition != s.partition()) { // the position matters where partitions compete
                    put(key, s, digest);
                }
                return false;
            }
        }
        put(key, s, digest);
        return true;
    }

    private void put(String key, Sourced s, long digest) {
        versions.put(key, ByteBuffer.allocate(ROW_BYTES)
                .putInt(s.partition()).putLong(s.offset()).putLong(s.time()).putLong(digest).array());
    }
}
