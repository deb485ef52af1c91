package vibebridge.peer;

/**
 * The input that made a stage send something. A row keeps it beside the hash of what was sent, and what an input sent is
 * sent again when that input is replayed: with at-least-once, a row can outlive a crash that the slim record did not,
 * and its hash alone would then suppress the record for ever.
 *
 * @param offset in the topic of the kind, in the task's partition; for HOLD the end of the hold
 */
record Cause(int kind, long offset) {
    static final int EVENT = 1; // a joined event
    static final int SIGNAL = 2; // a slim record that was read back
    static final int RECORD = 3; // the legacy record itself
    static final int HOLD = 4; // the end of a hold
}
