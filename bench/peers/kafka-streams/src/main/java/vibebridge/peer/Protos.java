package vibebridge.peer;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Protobuf messages of our own making, in stores and internal topics. */
final class Protos {
    private Protos() {}

    static <M extends MessageLite> Serde<M> serde(Parser<M> parser) {
        return Serdes.serdeFrom(
                (topic, m) -> m == null ? null : m.toByteArray(), (topic, b) -> b == null ? null : parse(parser, b));
    }

    static <M> M parse(Parser<M> parser, byte[] bytes) {
        try {
            return parser.parseFrom(bytes);
        } catch (InvalidProtocolBufferException e) {
            // Not e itself: its text may quote content.
            throw new IllegalStateException("a row or internal record is not what this program wrote");
        }
    }
}
