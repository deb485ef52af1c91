package vibebridge.peer;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import vibebridge.peer.proto.Order;

/** What the gate knows of an order: its newest eligible version and what was sent of it. */
final class OrderRow {
    static final Serde<OrderRow> SERDE = Serdes.serdeFrom((topic, r) -> r == null ? null : r.toBytes(),
            (topic, b) -> b == null ? null : fromBytes(b));

    private static final int HEAD_BYTES = 8 + 8 + 4 + 8;

    Sourced facts;
    long holdUntil; // Unix milliseconds; 0: no hold
    long sentHash; // 0: not sent
    Cause sentBy = new Cause(0, 0);
    private Order order; // facts, parsed

    OrderRow(Sourced facts) {
        this.facts = facts;
    }

    Order order() {
        if (order == null) {
            order = Protos.parse(Order.parser(), facts.facts());
        }
        return order;
    }

    /** Takes a record of the order. False: it is older, or says the same and need not be remembered. */
    boolean take(Sourced s) {
        int order = Sourced.compare(s.partition(), s.offset(), s.time(), facts.partition(), facts.offset(), facts.time());
        if (order < 0 || order > 0 && s.partition() == facts.partition() && Arrays.equals(s.facts(), facts.facts())) {
            return false;
        }
        if (order > 0) {
            facts = s;
            this.order = null;
        }
        return true;
    }

    private byte[] toBytes() {
        return ByteBuffer.allocate(HEAD_BYTES + Sourced.POSITION_BYTES + facts.facts().length)
                .putLong(holdUntil).putLong(sentHash).putInt(sentBy.kind()).putLong(sentBy.offset())
                .putInt(facts.partition()).putLong(facts.offset()).putLong(facts.time()).put(facts.facts()).array();
    }

    private static OrderRow fromBytes(byte[] bytes) {
        ByteBuffer b = ByteBuffer.wrap(bytes);
        long holdUntil = b.getLong();
        long sentHash = b.getLong();
        Cause sentBy = new Cause(b.getInt(), b.getLong());
        OrderRow row = new OrderRow(Sourced.fromBytes(Arrays.copyOfRange(bytes, HEAD_BYTES, bytes.length)));
        row.holdUntil = holdUntil;
        row.sentHash = sentHash;
        row.sentBy = sentBy;
        return row;
    }
}
