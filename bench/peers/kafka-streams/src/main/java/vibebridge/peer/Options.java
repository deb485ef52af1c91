package vibebridge.peer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The command line: --name value, or --name=value. */
final class Options {
    private static final Map<String, String> DEFAULTS = new LinkedHashMap<>();

    static {
        DEFAULTS.put("bootstrap", null);
        DEFAULTS.put("application-id", null); // of Kafka Streams: group, internal topics, state
        DEFAULTS.put("partners", "partners");
        DEFAULTS.put("events", "events");
        DEFAULTS.put("orders", "orders_done");
        DEFAULTS.put("refunds", "refund_requests");
        DEFAULTS.put("slim-prefix", null); // of events, orders and refunds
        DEFAULTS.put("quarantine", ""); // APPLICATION-ID-quarantine
        DEFAULTS.put("source", "ticketscloud"); // value of the header application-id
        DEFAULTS.put("partitions", "12");
        DEFAULTS.put("state-dir", null);
        DEFAULTS.put("directory", "");
        DEFAULTS.put("guarantee", "at_least_once"); // or exactly_once_v2
        DEFAULTS.put("threads", "2");
        DEFAULTS.put("commit-interval-ms", ""); // 1000 with at_least_once, 100 with exactly_once_v2
        DEFAULTS.put("compression", "lz4");
        DEFAULTS.put("replication", "-1"); // of internal topics; -1: the brokers' default
        DEFAULTS.put("organizer-hold-ms", "600000");
        DEFAULTS.put("set-hold-ms", "600000");
        DEFAULTS.put("session-timeout-ms", "15000");
        DEFAULTS.put("extra", ""); // more settings of Kafka Streams: a=b,c=d
    }

    private final Map<String, String> values = new HashMap<>();

    static final class UsageException extends RuntimeException {
        UsageException(String message) {
            super(message);
        }
    }

    Options(String[] args) {
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("--")) {
                throw new UsageException("unexpected argument " + args[i]);
            }
            String name = args[i].substring(2);
            String value;
            int equals = name.indexOf('=');
            if (equals >= 0) {
                value = name.substring(equals + 1);
                name = name.substring(0, equals);
            } else if (++i < args.length) {
                value = args[i];
            } else {
                throw new UsageException("--" + name + ": a value is missing");
            }
            if (!DEFAULTS.containsKey(name)) {
                throw new UsageException("--" + name + ": no such option; there are --" + String.join(" --", DEFAULTS.keySet()));
            }
            values.put(name, value);
        }
        for (Map.Entry<String, String> d : DEFAULTS.entrySet()) {
            if (d.getValue() == null && !values.containsKey(d.getKey())) {
                throw new UsageException("--" + d.getKey() + ": is missing");
            }
        }
    }

    String get(String name) {
        return values.getOrDefault(name, DEFAULTS.get(name));
    }

    int number(String name) {
        try {
            return Integer.parseInt(get(name));
        } catch (NumberFormatException e) {
            throw new UsageException("--" + name + " " + get(name) + ": want a number");
        }
    }
}
