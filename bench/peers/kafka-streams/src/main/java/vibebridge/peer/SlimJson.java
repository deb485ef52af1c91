package vibebridge.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.google.protobuf.Timestamp;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import vibebridge.peer.proto.Event;
import vibebridge.peer.proto.Lifetime;
import vibebridge.peer.proto.Order;
import vibebridge.peer.proto.Partner;

/** The slim records of edition 1.0 as JSON, fields in the order of the contract's tables. */
final class SlimJson {
    private static final JsonFactory JSON = new JsonFactoryBuilder()
            .enable(StreamWriteFeature.WRITE_BIGDECIMAL_AS_PLAIN)
            .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8)
            .build();

    private SlimJson() {}

    private interface Body {
        void write(JsonGenerator g) throws IOException;
    }

    private static byte[] write(int size, Body body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(size);
        try (JsonGenerator g = JSON.createGenerator(out)) {
            g.writeStartObject();
            body.write(g);
            g.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // not into memory
        }
        return out.toByteArray();
    }

    private static void optional(JsonGenerator g, String name, String value) throws IOException {
        if (!value.isEmpty()) {
            g.writeStringField(name, value);
        }
    }

    /** partner is null while it has not been seen. */
    static byte[] event(Event e, Partner partner, Directory directory) {
        return write(1024, g -> {
            g.writeStringField("id", e.getId());
            optional(g, "group_id", e.getMeta());
            g.writeStringField("name", e.getName());
            g.writeStringField("category", directory.category(e.getCategory()));
            dates(g, e.getLifetime());
            Event.Media media = e.getMedia();
            optional(g, "media", Texts.firstOf(media.getCover(), media.getCoverOriginal(), media.getCoverSmall()));
            Directory.Venue venue = directory.venue(e.getVenue());
            optional(g, "timezone", venue == null ? "" : venue.timezone());
            optional(g, "description", e.getDescription());
            if (partner != null && !e.getOrg().isEmpty() && !partner.getName().isEmpty()) {
                organizer(g, e, partner);
            }
            if (venue != null) {
                venue(g, venue);
            }
        });
    }

    private static void dates(JsonGenerator g, Lifetime l) throws IOException {
        Timestamp start = l.hasStart() && Intake.isMoment(l.getStart()) ? l.getStart() : null;
        Timestamp finish = l.hasFinish() && Intake.isMoment(l.getFinish()) ? l.getFinish() : null;
        g.writeNumberField("start_at", (start != null ? start : finish).getSeconds());
        g.writeNumberField("finish_at", (finish != null ? finish : start).getSeconds());
    }

    private static void organizer(JsonGenerator g, Event e, Partner partner) throws IOException {
        g.writeObjectFieldStart("organizer");
        g.writeStringField("id", e.getOrg());
        g.writeStringField("name", partner.getName());
        Event.LegalRu own = e.getLegalRu();
        Partner.Legal theirs = partner.getLegal();
        if (isSet(own.getName(), own.getAddress(), own.getInn(), own.getOgrn(), own.getOgrnip())) {
            String type = switch (own.getType()) {
                case LTD -> "ru_ltd";
                case IP -> "ru_lp";
                default -> typeByNumbers(own.getOgrnip(), own.getInn());
            };
            legals(g, Texts.firstOf(own.getName(), partner.getName()), type, own.getInn(),
                    Texts.firstOf(own.getOgrn(), own.getOgrnip()), own.getAddress());
        } else if (isSet(theirs.getName(), theirs.getAddress(), theirs.getInn(), theirs.getOgrn(), theirs.getOgrnip())) {
            legals(g, Texts.firstOf(theirs.getName(), partner.getName()), typeByNumbers(theirs.getOgrnip(), theirs.getInn()),
                    theirs.getInn(), Texts.firstOf(theirs.getOgrn(), theirs.getOgrnip()), theirs.getAddress());
        }
        g.writeEndObject();
    }

    private static boolean isSet(String... values) {
        return !Texts.firstOf(values).isEmpty();
    }

    private static String typeByNumbers(String ogrnip, String inn) {
        boolean soleTrader = !ogrnip.isEmpty() || inn.length() == 12 && inn.chars().allMatch(c -> c >= '0' && c <= '9');
        return soleTrader ? "ru_lp" : "ru_ltd";
    }

    private static void legals(JsonGenerator g, String name, String type, String inn, String ogrn, String address)
            throws IOException {
        g.writeObjectFieldStart("legals");
        g.writeStringField("name", name);
        g.writeStringField("type", type);
        optional(g, "inn", inn);
        optional(g, "ogrn", ogrn);
        optional(g, "address", address);
        g.writeEndObject();
    }

    private static void venue(JsonGenerator g, Directory.Venue v) throws IOException {
        g.writeObjectFieldStart("venue");
        g.writeStringField("id", v.id());
        g.writeStringField("name", v.name());
        optional(g, "address", v.address());
        optional(g, "description", v.description());
        optional(g, "city_name", v.city());
        coordinate(g, "lat", v.lat());
        coordinate(g, "lon", v.lon());
        g.writeEndObject();
    }

    private static void coordinate(JsonGenerator g, String name, BigDecimal value) throws IOException {
        if (value != null) {
            g.writeNumberField(name, value);
        }
    }

    /** sets, org and currency are those of the order's event. A set that the event lacks gives "" as category. */
    static byte[] order(Order o, Map<String, Event.TicketSet> sets, String eventOrg, String currency) {
        String organizer = Texts.firstOf(o.getOrg(), eventOrg);
        return write(256 + 384 * o.getTicketsCount(), g -> {
            g.writeStringField("id", o.getId());
            Order.Settings.Customer c = o.getSettings().getCustomer();
            g.writeObjectFieldStart("customer");
            g.writeStringField("email", c.getEmail());
            g.writeStringField("phone", c.getPhone());
            optional(g, "name", c.getName());
            g.writeEndObject();
            g.writeArrayFieldStart("tickets");
            for (Order.Ticket t : o.getTicketsList()) {
                Event.TicketSet set = sets.getOrDefault(t.getSet(), Event.TicketSet.getDefaultInstance());
                g.writeStartObject();
                g.writeStringField("id", t.getId());
                g.writeStringField("event_id", o.getEvent());
                g.writeStringField("organizer_id", organizer);
                g.writeStringField("barcode", t.getBarcode());
                if (t.getNumber() != 0) {
                    g.writeStringField("number", Long.toString(t.getNumber()));
                }
                optional(g, "series", t.getSerial());
                optional(g, "row", t.getSeat().getRow());
                optional(g, "seat", t.getSeat().getNumber());
                g.writeStringField("category", set.getName());
                optional(g, "description", set.getDescription());
                g.writeNumberField("price_nominal", t.getNominal());
                optional(g, "currency", currency);
                g.writeEndObject();
            }
            g.writeEndArray();
        });
    }

    /** customer is the JSON object of the order's slim record, which is taken over byte for byte. */
    static byte[] refund(byte[] customer, List<String> ticketIds) {
        return write(customer.length + 32 + 32 * ticketIds.size(), g -> {
            g.writeFieldName("customer");
            g.writeRawValue(new String(customer, StandardCharsets.UTF_8));
            g.writeArrayFieldStart("ticket_ids");
            for (String id : ticketIds) {
                g.writeString(id);
            }
            g.writeEndArray();
        });
    }

    /** The customer object of a slim order, as it stands there; null when there is none. */
    static byte[] customerOf(byte[] slimOrder) {
        try (JsonParser p = JSON.createParser(slimOrder)) {
            p.nextToken();
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                boolean customer = p.currentName().equals("customer");
                p.nextToken();
                int start = (int) p.currentTokenLocation().getByteOffset();
                p.skipChildren();
                if (customer) {
                    return Arrays.copyOfRange(slimOrder, start, (int) p.currentLocation().getByteOffset());
                }
            }
            return null;
        } catch (IOException e) {
            return null; // somebody else's record
        }
    }
}
