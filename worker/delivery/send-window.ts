/** How much may be on its way to one client. Pure: whoever sends asks it first, and tells it what was sent. */

interface Unacknowledged {
  seq: number;
  byteLength: number;
}

function fits(onTheWay: number, more: number, limit: number): boolean {
  return onTheWay === 0 || onTheWay + more <= limit;
}

export class SendWindow {
  readonly #limitBytes: number;
  #isAcking = false;
  #sentSeq: number;
  #ackedSeq: number;
  #unacknowledged: Unacknowledged[] = [];
  #unacknowledgedBytes = 0;

  /** @param after the last seq the client has: as good as an ack of it. */
  constructor(limitBytes: number, after: number) {
    this.#limitBytes = limitBytes;
    this.#sentSeq = after;
    this.#ackedSeq = after;
  }

  /** The last seq sent to this client. */
  get sentSeq(): number {
    return this.#sentSeq;
  }

  /** What the client's progress is seen by: changes whenever it has taken something. */
  progress(bufferedAmount: number): number {
    return this.#isAcking ? this.#ackedSeq : -bufferedAmount;
  }

  /** Whether one more message may be sent: of `audioBytes`, `wireBytes` as framed. One always may, however large. */
  isOpen(audioBytes: number, wireBytes: number, bufferedAmount: number): boolean {
    if (!this.#isAcking) return fits(bufferedAmount, wireBytes, this.#limitBytes);
    // Of a client that acks what it never read, the socket is bounded too; an honest one never comes so far.
    const isSocketFull = !fits(bufferedAmount, wireBytes, 2 * this.#limitBytes);
    return !isSocketFull && fits(this.#unacknowledgedBytes, audioBytes, this.#limitBytes);
  }

  sent(seq: number, byteLength: number): void {
    this.#sentSeq = seq;
    this.#unacknowledged.push({ seq, byteLength });
    this.#unacknowledgedBytes += byteLength;
    // A client that never acks must not make this list grow. What is dropped lies before a full window of others, so
    // that the window would be closed with or without it.
    while (!this.#isAcking && this.#unacknowledgedBytes - this.#unacknowledged[0]!.byteLength > this.#limitBytes) {
      this.#unacknowledgedBytes -= this.#unacknowledged.shift()!.byteLength;
    }
  }

  /** Everything up to `seq` was consumed. False if that was never sent. */
  ack(seq: number): boolean {
    if (seq > this.#sentSeq) return false;
    this.#isAcking = true;
    if (seq <= this.#ackedSeq) return true;
    this.#ackedSeq = seq;
    while (this.#unacknowledged.length > 0 && this.#unacknowledged[0]!.seq <= seq) {
      this.#unacknowledgedBytes -= this.#unacknowledged.shift()!.byteLength;
    }
    return true;
  }
}
