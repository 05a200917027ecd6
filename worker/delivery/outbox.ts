/** Hands a session's messages to the client of the moment, no faster than it takes them. */
import { Bell } from "../base/bell.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "../synthesis/message-cutter.ts";

/** Recent messages kept for a client that comes back: less than a window, so that they can go out at once. */
const KEPT_OF_WINDOW = 1 / 2;

/** How often a full socket is looked at, in ms: there is no event for it, so ever less often while it stays full. */
const POLL_MS = { first: 5, longest: 100 } as const;

/** How far a stream has come: the last message, when its audio ends, and the bytes up to there. */
export type Position = Pick<Message, "seq" | "endMs" | "endByte">;

export const START: Position = { seq: 0, endMs: 0, endByte: 0 };

export class Outbox {
  /** The furthest that any client was sent. */
  sent = START;
  /** When the first message was, in ms since 1970. */
  firstSentAt: number | undefined;
  readonly #stallTimeoutMs: number;
  readonly #keepBytes: number;
  readonly #onStalled: (connection: Connection) => void;
  readonly #changed = new Bell();
  #connection: Connection | undefined;
  #deliveredSeq = 0;
  #kept: Message[] = [];
  #keptBytes = 0;

  /** @param onStalled called when the client has taken nothing for `stallTimeoutMs`. */
  constructor(windowBytes: number, stallTimeoutMs: number, onStalled: (connection: Connection) => void) {
    this.#keepBytes = windowBytes * KEPT_OF_WINDOW;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#onStalled = onStalled;
  }

  /** The last message the player of the moment has handed over. */
  get deliveredSeq(): number {
    return this.#deliveredSeq;
  }

  /** From now on messages go to `connection`; undefined: to nobody. */
  connect(connection: Connection | undefined): void {
    this.#connection = connection;
    this.#changed.ring();
  }

  /** Something was acknowledged. */
  wake(): void {
    this.#changed.ring();
  }

  /**
   * Sends `connection` what it misses of the messages delivered so far.
   * @returns false if they are not kept any more: then they must be made again.
   */
  catchUp(connection: Connection): boolean {
    const after = connection.window.sentSeq;
    const missed = this.#kept.filter(({ seq }) => seq > after);
    if (missed.length !== this.#deliveredSeq - after) return false;
    for (const message of missed) connection.sendAudio(message);
    return true;
  }

  /** Messages are made again, and will be delivered from the one after `seq`. */
  rewind(seq: number): void {
    this.#deliveredSeq = seq;
    this.#kept = [];
    this.#keptBytes = 0;
  }

  /** Waits for a client, and for room in its window. */
  async deliver(message: Message, signal: AbortSignal): Promise<void> {
    let waiting: Connection | undefined;
    let pollMs: number = POLL_MS.first;
    let progress = 0;
    let since = 0;
    for (;;) {
      signal.throwIfAborted();
      const connection = this.#connection;
      if (connection?.canTake(message)) return this.#send(connection, message);
      if (connection && (connection !== waiting || connection.progress !== progress)) {
        [waiting, progress, since] = [connection, connection.progress, Date.now()];
      }
      if (connection && Date.now() - since >= this.#stallTimeoutMs) {
        this.#onStalled(connection);
        continue;
      }
      await this.#changed.next(signal, connection && pollMs);
      pollMs = Math.min(pollMs * 2, POLL_MS.longest);
    }
  }

  #send(connection: Connection, message: Message): void {
    connection.sendAudio(message);
    this.firstSentAt ??= Date.now();
    this.#deliveredSeq = message.seq;
    this.#kept.push(message);
    this.#keptBytes += message.data.length;
    while (this.#keptBytes > this.#keepBytes) this.#keptBytes -= this.#kept.shift()!.data.length;
    this.passOver(message);
  }

  /** The client has `message`: now, or since before the session's object was lost. */
  passOver(message: Message): void {
    if (message.seq <= this.sent.seq) return;
    const { seq, endMs, endByte } = message;
    this.sent = { seq, endMs, endByte };
    this.#changed.ring();
  }

  /** Waits until the client has been sent the audio up to `ms`. */
  async sentUpTo(ms: number, signal: AbortSignal): Promise<void> {
    await this.#changed.until(() => this.sent.endMs >= ms, signal);
  }
}
