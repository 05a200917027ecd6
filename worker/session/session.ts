/**
 * The Durable Object of one session: a synthesis, and the delivery of the moment. It decides who is connected, how the
 * session ends and how long it is kept; it knows no protocol.
 */
import { DurableObject } from "cloudflare:workers";
import { CLOSE } from "../../protocol/close-codes.ts";
import { failureOf, GatewayError, unknownSession, type Failure } from "../base/errors.ts";
import { logBug } from "../base/log.ts";
import { config } from "../config/config.ts";
import { Connection } from "../delivery/connection.ts";
import { Delivery } from "../delivery/delivery.ts";
import type { Opening, Outcome, Protocol } from "../delivery/framing.ts";
import { logStorage } from "../message-log/log-storage.ts";
import { UNWRITTEN_MESSAGES } from "../message-log/message-log.ts";
import type { VoiceChange } from "../message-log/stored-row.ts";
import { circuitFor } from "../providers/backends.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";
import type { Synthesis } from "../synthesis/synthesis.ts";
import { createSynthesis } from "./create-synthesis.ts";
import { stateOf, type Lifecycle, type Lifetimes, type Sent } from "./lifecycle.ts";
import { logStream, logVoiceChange, noticesOf, outcomeOf, reportOf, type SessionReport } from "./report.ts";
import { StoredSession } from "./stored-session.ts";

const LIFETIMES: Lifetimes = {
  unclaimedMs: config.UNCLAIMED_TTL_MS,
  graceMs: config.RECONNECT_GRACE_MS,
  endedMs: config.ENDED_TTL_MS,
};

const cancelled = (message: string): Outcome => ({ state: "cancelled", failure: { reason: "cancelled", message } });
const CANCELLED = cancelled("the session was cancelled");
const ABANDONED = cancelled("the client did not come back in time");

export abstract class SessionObject extends DurableObject {
  /** How its clients talk. */
  protected abstract readonly protocol: Protocol;
  /** Undefined: there is no such session. */
  #stored: StoredSession | undefined;
  #synthesis: Synthesis | undefined;
  #delivery: Delivery | undefined;
  /** A stream found in storage was begun by an object that is lost; a client is believed to have its messages up to this one. */
  #mostSentBefore = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#stored = StoredSession.load(ctx.storage, LIFETIMES);
    if (!this.#stored || stateOf(this.#life) !== "streaming") return;
    const { end, endMs } = this.#open().log;
    this.#mostSentBefore = end.seq + UNWRITTEN_MESSAGES;
    // Whatever was written may have been sent, and its client was lost with the object.
    if (end.seq > this.#life.sent.seq) this.#stored.change({ sent: { seq: end.seq, ms: endMs, bytes: end.bytes } });
    if (this.#life.droppedAt) return;
    this.#stored.change({ droppedAt: Date.now() });
    this.#stored.saveSoon(); // or every object that an alarm makes would begin to wait anew
  }

  get #life(): Lifecycle {
    if (!this.#stored) throw unknownSession();
    return this.#stored.life;
  }

  async create(request: SpeechRequest): Promise<void> {
    for (const { provider } of request.voices) circuitFor(provider, request.region).warm(this.#background);
    this.#stored = await StoredSession.create(this.ctx.storage, LIFETIMES, request);
  }

  /** @returns undefined if there is no such session. */
  report(): SessionReport | undefined {
    return this.#stored && this.#report();
  }

  /** @returns false if there is no such session. One that has ended stays as it ended. */
  async cancel(): Promise<boolean> {
    if (!this.#stored) return false;
    if (!this.#life.outcome) await this.#conclude(CANCELLED);
    return true;
  }

  /** A client connects: from now on the session is delivered to it. */
  override fetch(request: Request): Response {
    try {
      const opening = this.protocol.open(request);
      this.#judge(opening);
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept(); // not the hibernation API: docs/design/adr/0001-accepted-sockets.md
      server.binaryType = "arraybuffer";
      const connection = new Connection(server, opening, config.WINDOW_BYTES);
      const delivery = this.#take(connection);
      server.addEventListener("message", ({ data }) => void this.#received(delivery, data as string | ArrayBuffer));
      server.addEventListener("close", () => this.#left(delivery));
      server.addEventListener("error", () => this.#left(delivery));
      this.#background(this.#serve(delivery));
      return this.protocol.upgrade(request, client);
    } catch (error) {
      return this.protocol.refuse(request, this.#failure(error));
    }
  }

  /** @throws GatewayError `unknown_session`, `invalid_after` and `taken_over`. */
  #judge({ after, attempt }: Opening): void {
    const { outcome, sent } = this.#life;
    const successor = this.#delivery?.connection.attempt;
    if (attempt && attempt.client === successor?.client && attempt.number < successor.number) {
      throw new GatewayError("taken_over", "a later attempt of this client is connected");
    }
    if (outcome && outcome.state !== "completed") return; // whatever it has, the error is left
    const last = outcome?.seq ?? Math.max(sent.seq, this.#mostSentBefore);
    if (after > last) throw aboveLast(after, last);
  }

  /** The connection takes the place of the one before it. */
  #take(connection: Connection): Delivery {
    const { log: messages } = this.#open();
    const delivery = new Delivery(connection, messages, config.STALL_TIMEOUT_MS, {
      onSent: ({ seq, endMs, endByte }) => this.#sent({ seq, ms: endMs, bytes: endByte }),
      onHeard: (ms) => this.#synthesis?.heard(ms),
    });
    const before = this.#delivery;
    this.#delivery = delivery;
    before?.stop();
    before?.connection.close(CLOSE.takenOver, "taken over by a newer connection");
    return delivery;
  }

  async #serve(delivery: Delivery): Promise<void> {
    const { outcome: ended } = this.#life;
    const { connection } = delivery;
    try {
      if (ended?.state === "cancelled") return this.#detach((gone) => gone.end(ended));
      if (!ended) {
        this.#stored!.change({ startedAt: this.#life.startedAt ?? Date.now(), droppedAt: 0 });
        this.#stored!.saveSoon();
        this.#background(this.#open().run());
      } else if (!this.#open().log.end.ended) throw new Error("the last row of a session that has ended is missing");
      for (const notice of noticesOf(this.#stored!.request, this.#open().log)) connection.notify(notice);
      const end = await delivery.run();
      if (delivery !== this.#delivery) return;
      const outcome = this.#life.outcome ?? outcomeOf(this.#open().log);
      if (end === "stalled") this.#detach((gone) => gone.close(CLOSE.tryLater, "stalled"));
      else if (end === "beyond_end" && outcome.state === "completed") {
        const beyond = aboveLast(connection.window.sentSeq, outcome.seq);
        this.#detach((gone) => gone.refuse(beyond.failure));
      } else if (end) await this.#conclude(outcome, delivery);
    } catch (error) {
      const failure = this.#failure(error);
      if (delivery !== this.#delivery) return;
      // A replay that breaks off is no eos, whatever the session's own end was.
      if (this.#life.outcome) this.#detach((gone) => gone.refuse(failure));
      else await this.#conclude({ state: "failed", failure });
    }
  }

  #open(): Synthesis {
    return (this.#synthesis ??= createSynthesis(this.#stored!.request, logStorage(this.ctx.storage), this.#background, {
      onChange: (change) => this.#voiceChanged(change),
      failureOf: (error) => this.#failure(error),
    }));
  }

  /** Keeps alive what nobody waits for. */
  readonly #background = (work: Promise<unknown>) => this.ctx.waitUntil(work);

  #sent(sent: Sent): void {
    const { outcome, sent: before } = this.#life;
    if (outcome || sent.seq <= before.seq) return;
    this.#stored!.change(before.seq === 0 ? { sent, firstAudioAt: Date.now() } : { sent });
  }

  /**
   * The session ends so, unless it has ended before; the client hears how it ended.
   * @param delivery the one that has come to the end; without one, whichever there is.
   */
  async #conclude(outcome: Outcome, delivery?: Delivery): Promise<void> {
    if (!this.#life.outcome) {
      this.#synthesis?.stop();
      if (outcome.state === "completed") {
        // Its client has it all, also what an object that is lost had sent.
        this.#stored!.change({ sent: { seq: outcome.seq, ms: outcome.durationMs, bytes: outcome.bytes } });
      }
      this.#stored!.change({ outcome, endedAt: Date.now() });
      logStream(this.#report());
      await this.#stored!.save();
    }
    if (delivery && delivery !== this.#delivery) return;
    this.#detach((gone) => gone.end(this.#life.outcome!));
  }

  /** The connection of the moment ends with `farewell`; the session goes on without it for a while. */
  #detach(farewell: (connection: Connection) => void): void {
    const delivery = this.#delivery;
    if (!delivery) return;
    this.#delivery = undefined;
    delivery.stop();
    farewell(delivery.connection);
    if (!this.#stored || this.#life.outcome) return;
    this.#stored.change({ droppedAt: Date.now() });
    this.#stored.saveSoon();
  }

  #left(delivery: Delivery): void {
    if (delivery === this.#delivery) this.#detach(() => {});
  }

  async #received(delivery: Delivery, data: string | ArrayBuffer): Promise<void> {
    if (delivery !== this.#delivery) return; // an older connection's last words
    try {
      if (!delivery.isCancelledBy(data)) return;
      if (!this.#life.outcome) await this.#conclude(CANCELLED);
      else this.#detach((gone) => gone.end(CANCELLED)); // it has heard enough of a session that has ended
    } catch (error) {
      const failure = this.#failure(error);
      if (delivery === this.#delivery) this.#detach((gone) => gone.refuse(failure));
    }
  }

  /** Gives up a session that nobody asks for: ends a stream without a client, forgets one that has ended. */
  override async alarm(): Promise<void> {
    const stored = this.#stored;
    if (stored?.life.outcome && this.#delivery) return this.ctx.storage.setAlarm(Date.now() + LIFETIMES.graceMs); // heard
    if (stored && Date.now() < stored.dueAt) return this.ctx.storage.setAlarm(stored.dueAt);
    if (stored && stateOf(stored.life) === "streaming") {
      const failure = this.#open().log.end.ended?.failure;
      return this.#conclude(failure ? { state: "failed", failure } : ABANDONED);
    }
    this.#synthesis?.stop();
    this.#stored = this.#synthesis = undefined;
    await this.ctx.storage.deleteAll();
  }

  #voiceChanged(change: VoiceChange): void {
    const { log: messages } = this.#open();
    const notice = noticesOf(this.#stored!.request, messages)[messages.end.changes.indexOf(change)]!;
    logVoiceChange(this.ctx.id.toString(), notice);
    this.#delivery?.connection.notify(notice);
  }

  #report(): SessionReport {
    const { request, life } = this.#stored!;
    return reportOf(this.ctx.id.toString(), request, life, stateOf(life) === "created" ? undefined : this.#open());
  }

  #failure(error: unknown): Failure {
    if (!(error instanceof GatewayError)) logBug(error, { session: this.ctx.id.toString() });
    return failureOf(error);
  }
}

function aboveLast(after: number, last: number): GatewayError {
  return new GatewayError("invalid_after", `after=${after} is above the last seq, ${last}`);
}
