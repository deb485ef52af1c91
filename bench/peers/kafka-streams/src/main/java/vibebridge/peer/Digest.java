package vibebridge.peer;

import net.jpountz.xxhash.XXHash64;
import net.jpountz.xxhash.XXHashFactory;

/** 64-bit hashes of what was sent or stored, to tell whether it changed. Never 0, which stands for none. */
final class Digest {
    private static final XXHash64 HASH = XXHashFactory.fastestInstance().hash64();

    private Digest() {}

    static long of(byte[] bytes) {
        long h = HASH.hash(bytes, 0, bytes.length, 0);
        return h == 0 ? 1 : h;
    }
}
