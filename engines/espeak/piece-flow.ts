/**
 * What a synthesis thread and the main thread share of one job: one number in shared memory, because a thread inside
 * a synchronous synthesis receives no messages.
 */

/**
 * Bytes a job may be ahead of its reader before its thread waits: 95 s of audio at 22 050 Hz, more than a request of
 * usual length has, so that a slow reader holds memory and not a thread.
 */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** Far enough below 0 that no count of unread bytes brings it back, nor takes it past the least 32-bit number. */
const CANCELLED = -(2 ** 30);

export class PieceFlow {
  /** Unread bytes, or below 0: cancelled. */
  readonly shared: Int32Array<SharedArrayBuffer>;

  constructor(shared = new Int32Array(new SharedArrayBuffer(4))) {
    this.shared = shared;
  }

  /** The reader's side: the job is to stop at its next piece. */
  cancel(): void {
    Atomics.store(this.shared, 0, CANCELLED);
    Atomics.notify(this.shared, 0);
  }

  /** The reader's side: `bytes` have left the process. */
  read(bytes: number): void {
    Atomics.sub(this.shared, 0, bytes);
    Atomics.notify(this.shared, 0);
  }

  /** The thread's side: counts a piece; waits while the reader is too far behind. False: stop, the job is cancelled. */
  proceed(bytes: number): boolean {
    Atomics.add(this.shared, 0, bytes);
    for (;;) {
      const unread = Atomics.load(this.shared, 0);
      if (unread < 0) return false;
      if (unread <= MAX_UNREAD_BYTES) return true;
      Atomics.wait(this.shared, 0, unread);
    }
  }
}
