/** Reads a message log to one connection, no faster than its client takes it. */
import { Bell } from "../base/bell.ts";
import { GatewayError } from "../base/errors.ts";
import { sleep } from "../base/sleep.ts";
import type { Message } from "../message-log/message.ts";
import type { MessageLog } from "../message-log/message-log.ts";
import type { Connection } from "./connection.ts";

/** How often a full socket is looked at, in ms: there is no event for it, so ever less often while it stays full. */
const POLL_MS = { first: 5, longest: 100 } as const;

/** Messages sent before other work of the isolate gets its turn. */
const MESSAGES_PER_TURN = 64;

/** How a delivery ended. */
export type DeliveryEnd =
  /** The client has been sent the whole log. */
  | "complete"
  /** It has taken nothing for too long. */
  | "stalled"
  /** It claims messages that the ended log does not have. */
  | "beyond_end";

export interface DeliveryEvents {
  onSent: (message: Message) => void;
  /** The client has, or has been sent, the stream up to `ms`. */
  onHeard: (ms: number) => void;
}

export class Delivery {
  readonly connection: Connection;
  readonly #log: MessageLog;
  readonly #stallTimeoutMs: number;
  readonly #events: DeliveryEvents;
  readonly #acked = new Bell();
  #isStopped = false;

  constructor(connection: Connection, log: MessageLog, stallTimeoutMs: number, events: DeliveryEvents) {
    this.connection = connection;
    this.#log = log;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#events = events;
  }

  /**
   * Sends what follows the last message that the client has, to the end of the log.
   * @returns undefined if it was stopped.
   * @throws Error if a message cannot be read.
   */
  async run(): Promise<DeliveryEnd | undefined> {
    const read = this.#log.reader();
    const { window } = this.connection;
    while (!this.#isStopped) {
      const seq = window.sentSeq + 1;
      const { end } = this.#log;
      if (seq > end.seq) {
        if (end.ended) return seq > end.seq + 1 ? "beyond_end" : "complete";
        this.#events.onHeard(this.#log.endMs);
        await this.#log.changed.next();
        continue;
      }
      const message = read(seq);
      if (!this.connection.canTake(message)) {
        if (!(await this.#room(message))) return "stalled";
        continue;
      }
      this.connection.send(message);
      this.#log.sent(seq);
      this.#events.onSent(message);
      this.#events.onHeard(message.endMs);
      if (seq % MESSAGES_PER_TURN === 0) await sleep(0);
    }
    return undefined;
  }

  /**
   * Hears what the client says.
   * @returns whether it wants to hear no more.
   * @throws GatewayError for what it must not say.
   */
  isCancelledBy(data: string | ArrayBuffer): boolean {
    const { framing, window } = this.connection;
    const verb = framing.parse(data);
    if (verb.type === "cancel") return true;
    const { sentSeq } = window;
    if (!window.ack(verb.seq)) {
      throw new GatewayError("invalid_ack", `ack of ${verb.seq}, but the last seq sent is ${sentSeq}`);
    }
    this.#acked.ring();
    return false;
  }

  stop(): void {
    this.#isStopped = true;
    this.#acked.ring();
    this.#log.changed.ring();
  }

  /** Waits for room in the window, or until it is stopped. @returns false if the client takes nothing for too long. */
  async #room(message: Message): Promise<boolean> {
    let { progress } = this.connection;
    let since = Date.now();
    for (let pollMs: number = POLL_MS.first; !this.#isStopped && !this.connection.canTake(message);) {
      if (this.connection.progress !== progress) [progress, since] = [this.connection.progress, Date.now()];
      if (Date.now() - since >= this.#stallTimeoutMs) return false;
      await this.#acked.next(undefined, pollMs);
      pollMs = Math.min(pollMs * 2, POLL_MS.longest);
    }
    return true;
  }
}
