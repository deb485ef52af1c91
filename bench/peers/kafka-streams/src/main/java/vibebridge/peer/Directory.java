package vibebridge.peer;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** What the streams lack: categories, cities and venues, from a JSON file that is read once, at the start. */
final class Directory {
    record Venue(
            String id, String name, String address, String description, String city, BigDecimal lat, BigDecimal lon,
            String timezone) {}

    private record City(String name, String timezone) {}

    private final Map<String, String> categories = new HashMap<>();
    private final Map<String, Venue> venues = new HashMap<>();

    private Directory() {}

    static Directory empty() {
        return new Directory();
    }

    static Directory load(Path file) throws IOException {
        return parse(Files.readAllBytes(file));
    }

    static Directory parse(byte[] json) throws IOException {
        JsonNode root = new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).readTree(json);
        Map<String, String> words = categoryWords();
        Directory d = new Directory();
        for (JsonNode c : root.path("categories")) {
            String word = words.get(fold(text(c, "name")));
            if (word != null) {
                d.categories.put(text(c, "id"), word);
            }
        }
        Map<Long, City> cities = new HashMap<>();
        for (JsonNode c : root.path("cities")) {
            cities.put(c.path("id").asLong(), new City(text(c, "name"), text(c, "timezone")));
        }
        for (JsonNode v : root.path("venues")) {
            City city = v.hasNonNull("city") ? cities.get(v.get("city").asLong()) : null;
            d.venues.put(text(v, "id"), new Venue(
                    text(v, "id"), text(v, "name"), text(v, "address"), text(v, "description"),
                    city == null ? "" : city.name, number(v, "lat"), number(v, "lon"), city == null ? "" : city.timezone));
        }
        return d;
    }

    /** The enum word of edition 1.0; "other" for what is not known. */
    String category(String id) {
        return categories.getOrDefault(id, "other");
    }

    /** null for a venue that is not listed. */
    Venue venue(String id) {
        return venues.get(id);
    }

    private static String text(JsonNode n, String field) {
        return n.path(field).asText("");
    }

    private static BigDecimal number(JsonNode n, String field) {
        if (!n.hasNonNull(field)) {
            return null;
        }
        BigDecimal d = n.get(field).decimalValue();
        return d.signum() == 0 ? BigDecimal.ZERO : d.stripTrailingZeros();
    }

    private static String fold(String name) {
        return name.strip().toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
    }

    private static Map<String, String> categoryWords() throws IOException {
        Map<String, String> words = new HashMap<>();
        try (var in = Directory.class.getResourceAsStream("/categories.tsv");
                var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                String[] fields = line.split("\t");
                for (int i = 1; i < fields.length; i++) {
                    words.put(fold(fields[i]), fields[0]);
                }
            }
        }
        return words;
    }
}
