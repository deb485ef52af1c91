package vibebridge.peer;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import vibebridge.peer.proto.RefundRequest;
import vibebridge.peer.proto.StoredRefunds;

/**
 * Sends slim refunds, and parks those whose order is not out. Its inputs are partitioned by order id: refund requests,
 * and the slim orders themselves, from which a refund takes its customer.
 */
final class RefundGate implements Processor<String, RefundGate.Input, String, byte[]> {
    static final String PUBLISHED_ORDERS = "published-orders"; // slim records by order
    static final String REFUND_ROWS = "gate-refunds"; // refund requests by order
    static final String REFUND_SINK = "slim-refunds";

    sealed interface Input {}

    record Arrived(Sourced refund) implements Input {}

    /** A slim order was read back. */
    record Published(byte[] slimOrder) implements Input {}

    private final Settings settings;
    private ProcessorContext<String, byte[]> context;
    private TimestampedKeyValueStore<String, byte[]> orders;
    private KeyValueStore<String, StoredRefunds> refundRows;
    private Sender sender;

    RefundGate(Settings settings) {
        this.settings = settings;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
        this.context = context;
        orders = context.getStateStore(PUBLISHED_ORDERS);
        refundRows = context.getStateStore(REFUND_ROWS);
        sender = new Sender(context, settings);
    }

    @Override
    public void process(Record<String, Input> r) {
        long offset = context.recordMetadata().orElseThrow().offset();
        StoredRefunds rows = refundRows.get(r.key());
        if (r.value() instanceof Published p) {
            if (rows != null) { // few orders have any
                decide(r.key(), rows.getRefundsList(), p.slimOrder, new Cause(Cause.SIGNAL, offset), r.timestamp(), false);
            }
            return;
        }
        List<StoredRefunds.Refund> refunds = rows == null ? List.of() : rows.getRefundsList();
        List<StoredRefunds.Refund> taken = take(refunds, ((Arrived) r.value()).refund);
        if (taken != null) {
            ValueAndTimestamp<byte[]> order = orders.get(r.key());
            byte[] slimOrder = order == null ? null : order.value();
            decide(r.key(), taken, slimOrder, new Cause(Cause.RECORD, offset), r.timestamp(), true);
        }
    }

    /** The rows with those facts in them; null when they are older than what is there. */
    private static List<StoredRefunds.Refund> take(List<StoredRefunds.Refund> refunds, Sourced s) {
        RefundRequest request = Protos.parse(RefundRequest.parser(), s.facts());
        List<StoredRefunds.Refund> out = new ArrayList<>(refunds);
        int i = 0;
        while (i < out.size() && !out.get(i).getId().equals(request.getId())) {
            i++;
        }
        if (i == out.size()) {
            out.add(StoredRefunds.Refund.newBuilder().setId(request.getId()).setPartition(-1).build());
        }
        StoredRefunds.Refund old = out.get(i);
        if (old.getPartition() >= 0 && Sourced.compare(s.partition(), s.offset(), s.time(),
                old.getPartition(), old.getOffset(), old.getTime()) < 0) {
            return null;
        }
        StoredRefunds.Refund.Builder b = old.toBuilder().clearTicketIds()
                .setPartition(s.partition()).setOffset(s.offset()).setTime(s.time());
        request.getTicketsList().stream().map(RefundRequest.Ticket::getId).filter(id -> !id.isEmpty()).forEach(b::addTicketIds);
        out.set(i, b.build());
        return out;
    }

    /** Sends what is news, and writes the rows if they changed. slimOrder is null while the order is not out. */
    private void decide(
            String order, List<StoredRefunds.Refund> refunds, byte[] slimOrder, Cause cause, long time, boolean changed) {
        StoredRefunds.Builder out = StoredRefunds.newBuilder();
        byte[] customer = slimOrder == null ? null : SlimJson.customerOf(slimOrder);
        for (StoredRefunds.Refund f : refunds) {
            if (customer != null) {
                byte[] value = SlimJson.refund(customer, f.getTicketIdsList());
                long hash = Digest.of(value);
                boolean again = cause.kind() == f.getSentBy() && cause.offset() == f.getSentByOffset();
                if ((hash != f.getSentHash() || again) && sender.send(REFUND_SINK, f.getId(), value, time)) {
                    f = f.toBuilder().setSentHash(hash).setSentBy(cause.kind()).setSentByOffset(cause.offset()).build();
                    changed = true;
                }
            }
            out.addRefunds(f);
        }
        if (changed) {
            refundRows.put(order, out.build());
        }
    }
}
