package vibebridge.peer;

import com.google.protobuf.ByteString;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.Partner;
import vibebridge.peer.proto.StoredEvent;

/**
 * Sends slim events and slim orders, and parks what may not go yet. Its inputs are partitioned by event id: events joined
 * with their partner, orders, and the slim events themselves. That a slim event can be read says that it is
 * acknowledged; only then do orders of that event go out.
 *
 * <p>Every decision is made from the rows alone (what should the slim topic hold now?), and what is the same as what
 * was sent is not sent again, unless the input that sent it is replayed (see {@link Cause}).
 */
final class Gate implements Processor<String, Gate.Input, String, byte[]> {
    static final String EVENT_ROWS = "gate-events";
    static final String ORDER_ROWS = "gate-orders";
    static final String HOLDS = "gate-holds";
    static final String EVENT_SINK = "slim-events";
    static final String ORDER_SINK = "slim-orders";

    sealed interface Input {}

    /** An event with its partner, which is null while it has not been seen. */
    record Joined(Event event, Partner partner) implements Input {}

    record Arrived(Sourced order) implements Input {}

    /** A slim event was read back. */
    record Published() implements Input {}

    private static final char SEPARATOR = '\0'; // between the ids of an order's key; no id has it
    private static final int CACHED_EVENTS = 1000; // per task; an event's orders come in bursts
    private static final Duration LOOK_FOR_HOLDS = Duration.ofSeconds(5);

    private final Settings settings;
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, StoredEvent> eventRows;
    private KeyValueStore<String, OrderRow> orderRows;
    private KeyValueStore<String, Long> holds;
    private Sender sender;

    private final Map<String, EventRow> cache = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, EventRow> eldest) {
            return size() > CACHED_EVENTS;
        }
    };
    // Holds whose end was carried out in this session. Their entries stay until a later look, with a commit in between:
    // if the program dies before, the next one carries them out again.
    private final Set<String> ended = new HashSet<>();

    Gate(Settings settings) {
        this.settings = settings;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
        this.context = context;
        cache.clear(); // after an aborted transaction a task begins anew with the same processor
        ended.clear();
        eventRows = context.getStateStore(EVENT_ROWS);
        orderRows = context.getStateStore(ORDER_ROWS);
        holds = context.getStateStore(HOLDS);
        sender = new Sender(context, settings);
        context.schedule(LOOK_FOR_HOLDS, PunctuationType.WALL_CLOCK_TIME, now -> endHolds());
    }

    @Override
    public void process(Record<String, Input> r) {
        long offset = context.recordMetadata().orElseThrow().offset();
        if (r.value() instanceof Arrived a) {
            order(r.key(), a.order, new Cause(Cause.RECORD, offset), r.timestamp());
        } else if (r.value() instanceof Joined j) {
            event(r.key(), j.event, j.partner, new Cause(Cause.EVENT, offset), r.timestamp());
        } else {
            published(r.key(), new Cause(Cause.SIGNAL, offset), r.timestamp());
        }
    }

    private void event(String id, Event e, Partner partner, Cause cause, long time) {
        EventRow row = row(id);
        if (row == null) {
            row = new EventRow();
        }
        if (row.known && !row.org.equals(e.getOrg())) {
            endHold(id, row);
        }
        boolean news = row.borrow(e.getOrg(), partner == null ? "" : Texts.currency(partner.getCurrency()), e.getSetsList());
        if (news) {
            row.spreadBy = cause.offset();
        }
        if (partner == null && !e.getOrg().isEmpty() && isHeld(id, row)) {
            row.held = e.toByteString();
        } else {
            if (partner != null) {
                endHold(id, row);
            }
            row.held = ByteString.EMPTY; // older now
            send(id, e, partner, row, cause.offset(), time);
        }
        put(id, row);
        if (row.published && row.spreadBy == cause.offset()) {
            remap(id, row, cause, time);
        }
    }

    private boolean isHeld(String id, EventRow row) {
        long now = context.currentSystemTimeMs();
        if (row.holdUntil == 0) {
            row.holdUntil = now + settings.organizerHold().toMillis();
            holds.put("e" + id, row.holdUntil);
        }
        return now < row.holdUntil;
    }

    private void endHold(String id, EventRow row) {
        if (row.holdUntil != 0) {
            row.holdUntil = 0;
            holds.delete("e" + id);
        }
    }

    /** by is the offset of the joined event that asks for it, negative for the end of a hold. */
    private void send(String id, Event e, Partner partner, EventRow row, long by, long time) {
        byte[] value = SlimJson.event(e, partner, settings.directory());
        long hash = Digest.of(value);
        if (hash == row.sentHash && by != row.sentBy) {
            return;
        }
        if (sender.send(EVENT_SINK, id, value, time)) {
            row.sentHash = hash;
            row.sentBy = by;
        }
    }

    private void published(String id, Cause cause, long time) {
        EventRow row = row(id);
        if (row == null) {
            row = new EventRow(); // lost in a crash that the slim record outlived: its facts come again
        }
        if (!row.published) {
            row.published = true;
            row.releasedBy = cause.offset();
            put(id, row);
        }
        if (row.known && row.releasedBy == cause.offset()) {
            remap(id, row, cause, time);
        }
    }

    private void order(String event, Sourced arrived, Cause cause, long time) {
        Order o = Protos.parse(Order.parser(), arrived.facts());
        String key = event + SEPARATOR + o.getId();
        OrderRow row = orderRows.get(key);
        if (row == null) {
            row = new OrderRow(arrived);
        } else if (!row.take(arrived)) {
            return;
        }
        EventRow e = row(event);
        if (e != null && e.published && e.known) {
            decide(key, row, e, cause, time);
        }
        orderRows.put(key, row);
    }

    /** Decides again about all orders of an event. */
    private void remap(String event, EventRow e, Cause cause, long time) {
        try (KeyValueIterator<String, OrderRow> all = orderRows.prefixScan(event + SEPARATOR, new StringSerializer())) {
            while (all.hasNext()) {
                KeyValue<String, OrderRow> next = all.next();
                if (decide(next.key, next.value, e, cause, time)) {
                    orderRows.put(next.key, next.value);
                }
            }
        }
    }

    /** Sends what the order's slim record should be, if that is news. True: the row has changed. */
    private boolean decide(String key, OrderRow row, EventRow e, Cause cause, long time) {
        boolean changed = false;
        if (e.lacksSetOf(row.order())) {
            long now = context.currentSystemTimeMs();
            if (row.holdUntil == 0) {
                row.holdUntil = now + settings.setHold().toMillis();
                holds.put("o" + key, row.holdUntil);
                changed = true;
            }
            if (now < row.holdUntil) {
                return changed;
            }
        } else if (row.holdUntil != 0) {
            row.holdUntil = 0;
            holds.delete("o" + key);
            changed = true;
        }
        byte[] value = SlimJson.order(row.order(), e.sets, e.org, e.currency);
        long hash = Digest.of(value);
        if (hash == row.sentHash && !cause.equals(row.sentBy)) {
            return changed;
        }
        if (!sender.send(ORDER_SINK, row.order().getId(), value, time)) {
            return changed;
        }
        row.sentHash = hash;
        row.sentBy = cause;
        return true;
    }

    private void endHolds() {
        long now = context.currentSystemTimeMs();
        try (KeyValueIterator<String, Long> all = holds.all()) {
            while (all.hasNext()) {
                KeyValue<String, Long> hold = all.next();
                if (hold.value > now) {
                    continue;
                }
                if (ended.add(hold.key)) {
                    endHold(hold.key.substring(1), hold.key.charAt(0) == 'e', hold.value, now);
                } else {
                    ended.remove(hold.key);
                    holds.delete(hold.key);
                }
            }
        }
    }

    private void endHold(String key, boolean isEvent, long deadline, long now) {
        if (isEvent) {
            EventRow row = row(key);
            if (row != null && row.holdUntil == deadline && !row.held.isEmpty()) {
                send(key, Protos.parse(Event.parser(), row.held.toByteArray()), null, row, -deadline, now);
                put(key, row);
            }
            return;
        }
        OrderRow row = orderRows.get(key);
        EventRow e = row == null ? null : row(key.substring(0, key.indexOf(SEPARATOR)));
        if (e != null && e.published && e.known && row.holdUntil == deadline
                && decide(key, row, e, new Cause(Cause.HOLD, deadline), now)) {
            orderRows.put(key, row);
        }
    }

    private EventRow row(String id) {
        EventRow row = cache.get(id);
        if (row == null) {
            StoredEvent stored = eventRows.get(id);
            if (stored == null) {
                return null;
            }
            row = EventRow.of(stored);
            cache.put(id, row);
        }
        return row;
    }

    private void put(String id, EventRow row) {
        cache.put(id, row);
        eventRows.put(id, row.store());
    }
}
