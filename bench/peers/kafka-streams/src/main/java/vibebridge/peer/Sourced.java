package vibebridge.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * Checked facts of a legacy record on their way through a repartition topic, with the record's position: behind a
 * repartition topic nothing else would tell a replayed or older version from a newer one.
 */
record Sourced(int partition, long offset, long time, byte[] facts) implements Intake.Result {
    static final int POSITION_BYTES = 4 + 8 + 8;

    static final Serde<Sourced> SERDE = Serdes.serdeFrom((topic, s) -> s.toBytes(), (topic, b) -> fromBytes(b));

    /** Order of two records of one entity. Within a legacy partition the offset decides, between partitions the time. */
    static int compare(int partition, long offset, long time, int partition2, long offset2, long time2) {
        if (partition == partition2) {
            return Long.compare(offset, offset2);
        }
        return time != time2 ? Long.compare(time, time2) : Integer.compare(partition, partition2);
    }

    byte[] toBytes() {
        return ByteBuffer.allocate(POSITION_BYTES + facts.length)
                .putInt(partition).putLong(offset).putLong(time).put(facts).array();
    }

    static Sourced fromBytes(byte[] bytes) {
        ByteBuffer b = ByteBuffer.wrap(bytes);
        int partition = b.getInt();
        long offset = b.getLong();
        long time = b.getLong();
        byte[] facts = new byte[b.remaining()];
        b.get(facts);
        return new Sourced(partition, offset, time, facts);
    }
}
