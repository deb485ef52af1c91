package vibebridge.peer;

import com.google.protobuf.ByteString;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.StoredEvent;

/** What the gate knows of an event, ready for mapping its orders. */
final class EventRow {
    boolean known;
    boolean published;
    long releasedBy = -1;
    long sentHash;
    long sentBy;
    long holdUntil;
    ByteString held = ByteString.EMPTY;
    String org = "";
    String currency = "";
    Map<String, Event.TicketSet> sets = Map.of();
    long spreadBy = -1;

    /** Takes what orders borrow from their event. False: nothing of it is new. */
    boolean borrow(String org, String currency, List<Event.TicketSet> list) {
        Map<String, Event.TicketSet> sets = new LinkedHashMap<>();
        for (Event.TicketSet s : list) {
            if (!s.getId().isEmpty()) { // no ticket can name it
                sets.put(s.getId(), s);
            }
        }
        if (known && this.org.equals(org) && this.currency.equals(currency) && this.sets.equals(sets)) {
            return false;
        }
        known = true;
        this.org = org;
        this.currency = currency;
        this.sets = sets;
        return true;
    }

    /** A ticket that names no set has nothing to wait for. */
    boolean lacksSetOf(Order o) {
        for (Order.Ticket t : o.getTicketsList()) {
            if (!t.getSet().isEmpty() && !sets.containsKey(t.getSet())) {
                return true;
            }
        }
        return false;
    }

    StoredEvent store() {
        return StoredEvent.newBuilder()
                .setKnown(known).setPublished(published).setReleasedBy(releasedBy)
                .setSentHash(sentHash).setSentBy(sentBy).setHoldUntil(holdUntil).setHeld(held)
                .setOrg(org).setCurrency(currency).addAllSets(sets.values()).setSpreadBy(spreadBy).build();
    }

    static EventRow of(StoredEvent s) {
        EventRow row = new EventRow();
        row.borrow(s.getOrg(), s.getCurrency(), s.getSetsList());
        row.known = s.getKnown();
        row.published = s.getPublished();
        row.releasedBy = s.getReleasedBy();
        row.sentHash = s.getSentHash();
        row.sentBy = s.getSentBy();
        row.holdUntil = s.getHoldUntil();
        row.held = s.getHeld();
        row.spreadBy = s.getSpreadBy();
        return row;
    }
}
