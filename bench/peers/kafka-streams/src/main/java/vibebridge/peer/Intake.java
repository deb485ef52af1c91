package vibebridge.peer;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import com.google.protobuf.DiscardUnknownFieldsParser;
import com.google.protobuf.Timestamp;
import com.google.protobuf.UnknownFieldSet;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.Partner;
import vibebridge.peer.proto.RefundRequest;

/**
 * Reads a legacy topic: decodes the projection, makes all checks that need nothing but the record, in the order of the
 * contract's rows, and forwards the facts under the id by which the next stage is partitioned. What is skipped by
 * policy goes nowhere.
 */
final class Intake implements Processor<byte[], byte[], String, Intake.Result> {
    sealed interface Result permits Sourced, Rejected {}

    /** A record that cannot be mapped, as it was, with the reason. */
    record Rejected(byte[] key, byte[] value, Headers headers, String topic, int partition, long offset, long time, String reason)
            implements Result {}

    /** Facts under their key, or the reason why there are none; null: skipped. */
    sealed interface Verdict {}

    record Facts(String key, MessageLite message) implements Verdict {}

    record Bad(String reason) implements Verdict {}

    /** Decodes and checks a value of one legacy topic. */
    interface Check {
        Verdict check(byte[] value);
    }

    private final Check check;
    private ProcessorContext<String, Result> context;

    Intake(Check check) {
        this.check = check;
    }

    @Override
    public void init(ProcessorContext<String, Result> context) {
        this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> r) {
        if (r.value() == null || r.value().length == 0) {
            return; // a tombstone
        }
        Verdict verdict = check.check(r.value());
        if (verdict == null) {
            return;
        }
        RecordMetadata at = context.recordMetadata().orElseThrow();
        if (verdict instanceof Facts f) {
            Sourced s = new Sourced(at.partition(), at.offset(), r.timestamp(), f.message.toByteArray());
            context.forward(new Record<>(f.key, s, r.timestamp(), new RecordHeaders()));
            return;
        }
        String reason = ((Bad) verdict).reason;
        context.forward(new Record<>("", new Rejected(
                r.key(), r.value(), r.headers(), at.topic(), at.partition(), at.offset(), r.timestamp(), reason), r.timestamp()));
    }

    // Legacy records are far larger than what is needed of them: unknown fields are skipped, not kept.
    private static final Parser<Partner> PARTNER = DiscardUnknownFieldsParser.wrap(Partner.parser());
    private static final Parser<Event> EVENT = DiscardUnknownFieldsParser.wrap(Event.parser());
    private static final Parser<Order> ORDER = DiscardUnknownFieldsParser.wrap(Order.parser());
    private static final Parser<RefundRequest> REFUND = DiscardUnknownFieldsParser.wrap(RefundRequest.parser());

    static Verdict partner(byte[] value) {
        Partner p;
        try {
            p = PARTNER.parseFrom(value);
        } catch (InvalidProtocolBufferException e) {
            return undecodable(value, e);
        }
        return p.getId().isEmpty() ? new Bad("partner_without_id") : new Facts(p.getId(), p);
    }

    static Verdict event(byte[] value) {
        Event e;
        try {
            e = EVENT.parseFrom(value);
        } catch (InvalidProtocolBufferException x) {
            return undecodable(value, x);
        }
        if (e.getId().isEmpty()) {
            return new Bad("event_without_id");
        }
        if (e.getName().isEmpty()) {
            return new Bad("event_without_name");
        }
        boolean start = e.getLifetime().hasStart() && isMoment(e.getLifetime().getStart());
        boolean finish = e.getLifetime().hasFinish() && isMoment(e.getLifetime().getFinish());
        return start || finish ? new Facts(e.getId(), e) : new Bad("event_without_dates");
    }

    /** Within the years 1 to 9999; anything else counts as absent. */
    static boolean isMoment(Timestamp t) {
        return t.getSeconds() >= -62135596800L && t.getSeconds() <= 253402300799L && t.getNanos() >= 0 && t.getNanos() <= 999999999;
    }

    static Verdict order(byte[] value) {
        Order o;
        try {
            o = ORDER.parseFrom(value);
        } catch (InvalidProtocolBufferException e) {
            return undecodable(value, e);
        }
        if (o.getStatus() != Order.Status.DONE) {
            return null;
        }
        if (o.getId().isEmpty()) {
            return new Bad("order_without_id");
        }
        if (o.getEvent().isEmpty()) {
            return new Bad("order_without_event");
        }
        Order.Settings.Customer customer = o.getSettings().getCustomer();
        if (customer.getPhone().isEmpty()) {
            return null;
        }
        String phone = Texts.phone(customer.getPhone());
        if (phone == null) {
            return new Bad("invalid_phone");
        }
        for (Order.Ticket t : o.getTicketsList()) {
            if (t.getId().isEmpty()) {
                return new Bad("ticket_without_id");
            }
        }
        if (o.getTicketsCount() == 0) {
            return null;
        }
        Order.Builder b = o.toBuilder();
        b.getSettingsBuilder().getCustomerBuilder().setPhone(phone).setName(Texts.collapse(customer.getName()));
        return new Facts(o.getEvent(), b.build());
    }

    static Verdict refund(byte[] value) {
        RefundRequest r;
        try {
            r = REFUND.parseFrom(value);
        } catch (InvalidProtocolBufferException e) {
            return undecodable(value, e);
        }
        if (r.getStatus() != RefundRequest.Status.APPROVED) {
            return null;
        }
        if (r.getId().isEmpty()) {
            return new Bad("refund_without_id");
        }
        if (r.getOrder().isEmpty()) {
            return new Bad("refund_without_order");
        }
        if (r.getEvent().isEmpty()) {
            return new Bad("refund_without_event");
        }
        boolean none = r.getTicketsList().stream().allMatch(t -> t.getId().isEmpty());
        return none ? new Bad("refund_without_tickets") : new Facts(r.getOrder(), r);
    }

    /** Only a message that is well-formed can be said to have a bad string in it. */
    private static Bad undecodable(byte[] value, InvalidProtocolBufferException e) {
        if (e.getMessage() == null || !e.getMessage().contains("UTF-8")) {
            return new Bad("undecodable");
        }
        try {
            UnknownFieldSet.parseFrom(value);
            return new Bad("invalid_utf8");
        } catch (InvalidProtocolBufferException broken) {
            return new Bad("undecodable");
        }
    }
}
