package vibebridge.peer;

import java.time.Duration;

/**
 * What the topology depends on.
 *
 * @param source value of the header application-id
 * @param partitions of the internal topics, and so the most tasks of a stage
 * @param slimEventPartitions of the slim topic, as it exists; slimOrderPartitions likewise
 */
record Settings(
        String partners, String events, String orders, String refunds,
        String slimEvents, String slimOrders, String slimRefunds, String quarantine, String source,
        int partitions, int slimEventPartitions, int slimOrderPartitions,
        Directory directory, Duration organizerHold, Duration setHold, int maxRecordBytes) {}
