import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.Utils;

/**
 * Asks Kafka's Java client for the hash and the partition of keys.
 *
 * In, one line per key:  key in hex, or "-" for the empty key; number of partitions.
 * Out, one line per key: key as it came in; Utils.murmur2; number of partitions; the partition
 * that the producer chooses. Columns are separated by tabs; lines with "#" are comments.
 *
 * java -cp kafka-clients.jar:slf4j-api.jar Murmur2Vectors.java
 */
public class Murmur2Vectors {
    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        out.print("# kafka-clients " + AppInfoParser.getVersion() + ": Utils.murmur2, BuiltInPartitioner.partitionForKey\n");
        out.print("# key\tmurmur2\tpartitions\tpartition\n");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] columns = line.split("\t");
            byte[] key = columns[0].equals("-") ? new byte[0] : HexFormat.of().parseHex(columns[0]);
            int partitions = Integer.parseInt(columns[1]);
            int hash = Utils.murmur2(key);
            int partition = BuiltInPartitioner.partitionForKey(key, partitions);
            out.print(columns[0] + "\t" + hash + "\t" + partitions + "\t" + partition + "\n");
        }
        out.flush();
    }
}
