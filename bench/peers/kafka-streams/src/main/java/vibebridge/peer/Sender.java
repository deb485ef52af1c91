package vibebridge.peer;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sends slim records, with the contract's headers, to the sinks of a stage. */
final class Sender {
    private static final Logger LOG = LoggerFactory.getLogger(Sender.class);
    private static final int RESERVE = 1 << 10; // for headers and Kafka's own

    private final ProcessorContext<String, byte[]> context;
    private final Header[] headers;
    private final int maxBytes;

    Sender(ProcessorContext<String, byte[]> context, Settings settings) {
        this.context = context;
        maxBytes = settings.maxRecordBytes() - RESERVE;
        headers = new Header[] {
            header("content-type", "application/json"), header("schema-version", "1.0"), header("application-id", settings.source()),
        };
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }

    /** False: the record is too large for the topic, and was left out. */
    boolean send(String sink, String key, byte[] value, long time) {
        if (key.length() + value.length > maxBytes) {
            LOG.error("a record for {} was left out: {} bytes are more than the topic takes", sink, value.length);
            return false;
        }
        context.forward(new Record<>(key, value, time, new RecordHeaders(headers)), sink);
        return true;
    }
}
