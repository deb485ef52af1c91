package vibebridge.peer;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.UsePartitionTimeOnInvalidTimestamp;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs the peer until SIGTERM. Exit codes: 0 stopped when told to, 1 failed while running, 2 could not start. */
public final class Main {
    private static final Logger LOG = LoggerFactory.getLogger(Main.class);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);
    private static final int MAX_RECORD_BYTES = 1 << 20;

    private Main() {}

    public static void main(String[] args) {
        int code;
        try {
            code = run(new Options(args));
        } catch (Options.UsageException e) {
            System.err.println("kafka-streams-peer: " + e.getMessage());
            code = 2;
        } catch (Exception e) {
            System.err.println("kafka-streams-peer: could not start: " + e);
            code = 2;
        }
        System.exit(code);
    }

    private static int run(Options o) throws Exception {
        Settings settings = settings(o);
        KafkaStreams streams = new KafkaStreams(PeerTopology.build(settings), properties(o));
        CountDownLatch stopped = new CountDownLatch(1);
        boolean[] failed = new boolean[1];
        streams.setUncaughtExceptionHandler(e -> {
            // The class alone: a message may hold a record.
            LOG.error("a thread failed: {}", e.getClass().getName(), isOurs(e) ? null : e);
            failed[0] = true;
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            LOG.info("{}", now);
            if (now == KafkaStreams.State.ERROR) {
                stopped.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean closed = streams.close(STOP_TIMEOUT);
            Runtime.getRuntime().halt(closed && !failed[0] ? 0 : 1);
        }));
        streams.start();
        stopped.await();
        return 1;
    }

    /** Exceptions of Kafka's clients carry no content; those of our own code and of parsers might. */
    private static boolean isOurs(Throwable e) {
        return !(e instanceof KafkaException);
    }

    private static Settings settings(Options o) throws Exception {
        String prefix = o.get("slim-prefix");
        String quarantine = o.get("quarantine").isEmpty() ? o.get("application-id") + "-quarantine" : o.get("quarantine");
        Map<String, TopicDescription> topics;
        try (Admin admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, o.get("bootstrap")))) {
            topics = describe(admin, List.of(o.get("partners"), o.get("events"), o.get("orders"), o.get("refunds"),
                    prefix + "events", prefix + "orders", prefix + "refunds"));
            createQuarantine(admin, quarantine, (short) o.number("replication"));
        }
        Directory directory = o.get("directory").isEmpty() ? Directory.empty() : Directory.load(Path.of(o.get("directory")));
        return new Settings(o.get("partners"), o.get("events"), o.get("orders"), o.get("refunds"),
                prefix + "events", prefix + "orders", prefix + "refunds", quarantine, o.get("source"), o.number("partitions"),
                topics.get(prefix + "events").partitions().size(), topics.get(prefix + "orders").partitions().size(),
                directory, Duration.ofMillis(o.number("organizer-hold-ms")), Duration.ofMillis(o.number("set-hold-ms")),
                MAX_RECORD_BYTES);
    }

    private static Map<String, TopicDescription> describe(Admin admin, List<String> names) throws Exception {
        try {
            return admin.describeTopics(names).allTopicNames().get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                throw new Options.UsageException("one of these topics does not exist: " + String.join(" ", names));
            }
            throw e;
        }
    }

    private static void createQuarantine(Admin admin, String name, short replication) throws Exception {
        NewTopic topic = new NewTopic(name, 1, replication).configs(Map.of(TopicConfig.RETENTION_MS_CONFIG, "-1"));
        try {
            admin.createTopics(List.of(topic)).all().get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw e;
            }
        }
    }

    private static Properties properties(Options o) {
        boolean exactlyOnce = switch (o.get("guarantee")) {
            case StreamsConfig.AT_LEAST_ONCE -> false;
            case StreamsConfig.EXACTLY_ONCE_V2 -> true;
            default -> throw new Options.UsageException("--guarantee: want at_least_once or exactly_once_v2");
        };
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, o.get("application-id"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, o.get("bootstrap"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, o.get("state-dir"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, o.get("guarantee"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, o.number("threads"));
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, o.number("replication"));
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.REUSE_KTABLE_SOURCE_TOPICS);
        // A record without a valid time must not stop the stream.
        p.put(StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG, UsePartitionTimeOnInvalidTimestamp.class);
        // Nothing here needs the inputs of a task to be read in the order of their times.
        p.put(StreamsConfig.MAX_TASK_IDLE_MS_CONFIG, StreamsConfig.MAX_TASK_IDLE_MS_DISABLED);
        String commit = o.get("commit-interval-ms");
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commit.isEmpty() ? (exactlyOnce ? 100 : 1000) : o.number("commit-interval-ms"));
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 32L << 20);
        p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, BoundedMemory.class);

        p.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), o.get("compression"));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5); // 100 in Kafka Streams, at each hop
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 64 << 10);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);

        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 2000);
        p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), o.number("session-timeout-ms"));
        p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), 3000);
        for (String pair : o.get("extra").isEmpty() ? new String[0] : o.get("extra").split(",")) {
            String[] nameValue = pair.split("=", 2);
            if (nameValue.length < 2) {
                throw new Options.UsageException("--extra: want name=value, separated by commas");
            }
            p.put(nameValue[0], nameValue[1]);
        }
        return p;
    }
}
