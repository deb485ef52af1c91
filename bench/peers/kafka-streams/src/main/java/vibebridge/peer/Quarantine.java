package vibebridge.peer;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Writes bad records as they were, with the headers that say which record of which topic it was, and why. */
final class Quarantine implements Processor<String, Intake.Result, byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
    }

    @Override
    public void process(Record<String, Intake.Result> r) {
        Intake.Rejected bad = (Intake.Rejected) r.value();
        RecordHeaders headers = new RecordHeaders(bad.headers());
        add(headers, "__connect.errors.topic", bad.topic());
        add(headers, "__connect.errors.partition", Integer.toString(bad.partition()));
        add(headers, "__connect.errors.offset", Long.toString(bad.offset()));
        add(headers, "__connect.errors.stage", "intake");
        add(headers, "__connect.errors.class.name", bad.reason());
        add(headers, "__connect.errors.exception.message", bad.reason());
        add(headers, "vibe-bridge.source.timestamp", Long.toString(bad.time()));
        context.forward(new Record<>(bad.key(), bad.value(), r.timestamp(), headers));
    }

    private static void add(RecordHeaders headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
