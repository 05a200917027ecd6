/** The Durable Object of one session: who is connected, what they say, how long it lives. The pipeline does the work. */
import { DurableObject } from "cloudflare:workers";
import { CLOSE, type ClientMessage, type NoticeMessage, type TerminalMessage } from "../../protocol/messages.ts";
import { errorMessage, failureOf, GatewayError, unknownSession, type Failure } from "../base/errors.ts";
import { log, logBug } from "../base/log.ts";
import { afterSchema, clientMessageSchema } from "../api/native/schemas.ts";
import { config } from "../config/config.ts";
import { circuitFor } from "../providers/backends.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";
import { Connection, offersBinary, refuseWebSocket, upgraded } from "../delivery/connection.ts";
import { dueAt, sessionStatus, stateAfter, type Lifecycle, type Lifetimes, type SessionStatus } from "./lifecycle.ts";
import { mostMessages } from "../synthesis/message-cutter.ts";
import { Pipeline } from "./pipeline.ts";
import { tapeStorage } from "../synthesis/tape-storage.ts";

/** Longest message a client may send, in characters or bytes: an ack has about 30. */
const MAX_CLIENT_MESSAGE = 4096;

/** Keys in storage: the request, written once, and all that changes. */
const REQUEST = "request";
const LIFECYCLE = "lifecycle";

const LIFETIMES: Lifetimes = {
  unclaimedMs: config.UNCLAIMED_TTL_MS,
  graceMs: config.RECONNECT_GRACE_MS,
  endedMs: config.ENDED_TTL_MS,
};

const CANCELLED: Failure = { reason: "cancelled", message: "the session was cancelled" };
const ABANDONED: Failure = { reason: "cancelled", message: "the client did not come back in time" };

export class Session extends DurableObject {
  /** Both undefined: there is no such session. */
  #request: SpeechRequest | undefined;
  #life: Lifecycle | undefined;
  #pipeline: Pipeline | undefined;
  /** A stream found in storage was begun by an object that is lost, ... */
  readonly #isRecovered: boolean;
  /** ... which may have sent messages up to this seq. */
  #sentBefore = 0;
  #connection: Connection | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#request = ctx.storage.kv.get<SpeechRequest>(REQUEST);
    this.#life = ctx.storage.kv.get<Lifecycle>(LIFECYCLE);
    this.#isRecovered = this.#life?.state === "streaming";
    if (this.#isRecovered) this.#life!.droppedAt ||= Date.now(); // its client was lost with it
  }

  async create(request: SpeechRequest): Promise<void> {
    this.#request = request;
    this.#life = { state: "created", createdAt: Date.now(), droppedAt: 0 };
    for (const { provider } of request.voices) {
      circuitFor(provider, request.region).warm((work) => this.ctx.waitUntil(work));
    }
    await Promise.all([this.ctx.storage.put(REQUEST, request), this.#save()]);
  }

  status(): SessionStatus | undefined {
    if (!this.#life) return undefined;
    const life = this.#life.state === "streaming" ? { ...this.#life, ...this.#progress() } : this.#life;
    return sessionStatus(this.ctx.id.toString(), this.#request!, life);
  }

  /** @returns false if there is no such session. One that has ended stays as it ended. */
  async cancel(): Promise<boolean> {
    if (!this.#life) return false;
    if (!this.#life.final) await this.#end(errorMessage(CANCELLED));
    return true;
  }

  /** A client connects: from now on it is the one that the session is played to. */
  override fetch(request: Request): Response {
    try {
      const { searchParams } = new URL(request.url);
      const after = this.#judgeAfter(searchParams.get("after"));
      const { 0: client, 1: server } = new WebSocketPair();
      const connection = new Connection(server, {
        after,
        isBinary: offersBinary(request),
        wantsNotices: searchParams.get("notices") === "1",
        windowBytes: config.WINDOW_BYTES,
      });
      server.accept(); // not the hibernation API: docs/adr/0001-accepted-sockets.md
      server.binaryType = "arraybuffer";
      server.addEventListener("message", ({ data }) => void this.#received(connection, data as string | ArrayBuffer));
      server.addEventListener("close", () => void this.#disconnected(connection));
      server.addEventListener("error", () => void this.#disconnected(connection));
      this.#connection?.close(CLOSE.takenOver, "taken over by a newer connection");
      this.#connection = connection;
      this.ctx.waitUntil(
        this.#serve(connection, after).catch((error: unknown) => this.#end(errorMessage(this.#failure(error)))),
      );
      return upgraded(request, client);
    } catch (error) {
      return refuseWebSocket(request, this.#failure(error));
    }
  }

  /** @throws GatewayError `unknown_session` and `invalid_after`. */
  #judgeAfter(value: string | null): number {
    if (!this.#life) throw unknownSession();
    const parsed = afterSchema.safeParse(value ?? "0");
    if (!parsed.success) throw new GatewayError("invalid_after", "after must be the seq of an audio message, or 0");
    const last = this.#lastSeq(this.#life);
    if (parsed.data > last) throw aboveLast(parsed.data, last);
    return parsed.data;
  }

  /** The last seq any client was sent; of what an object sent that is lost since, the most it can have been. */
  #lastSeq({ state, counts }: Lifecycle): number {
    if (counts) return counts.messages;
    if (state === "created") return 0;
    return Math.max(this.#open().outbox.sent.seq, this.#sentBefore);
  }

  #open(): Pipeline {
    if (this.#pipeline) return this.#pipeline;
    const pipeline = new Pipeline(this.#request!, tapeStorage(this.ctx.storage), {
      background: (work) => this.ctx.waitUntil(work),
      onStalled: (connection) => {
        connection.close(CLOSE.tryLater, "stalled");
        void this.#disconnected(connection);
      },
      onChange: () => this.#changed(),
      failureOf: (error) => this.#failure(error),
    });
    if (this.#isRecovered) this.#sentBefore = mostMessages(pipeline.tape.durationMs);
    this.#pipeline = pipeline;
    return pipeline;
  }

  /** Plays the session to a new connection: on from what is at hand, else from the tape. */
  async #serve(connection: Connection, after: number): Promise<void> {
    const life = this.#life!;
    const { final, counts } = life;
    if (final && (life.state === "cancelled" || after === counts!.messages)) return this.#tell(final);
    if (!final) this.#life = { ...life, state: "streaming", startedAt: life.startedAt ?? Date.now(), droppedAt: 0 };
    const pipeline = this.#open();
    if (final) pipeline.tape.end();
    else pipeline.record();
    for (const notice of this.#notices()) connection.notify(notice);
    if (!pipeline.isPlaying || !pipeline.outbox.catchUp(connection)) this.ctx.waitUntil(this.#play(pipeline, after));
    pipeline.outbox.connect(connection);
    if (!final) await this.#save({ allowUnconfirmed: true });
  }

  async #play(pipeline: Pipeline, after: number): Promise<void> {
    const ending = await pipeline.play(after, this.#life!.counts?.messages);
    if (!ending) return;
    if (after > ending.seq && ending.final.type === "eos") this.#refuse(aboveLast(after, ending.seq).failure);
    await this.#end(ending.final);
  }

  #changed(): void {
    const notice = this.#notices().at(-1)!;
    const { provider, voice, reason, pts_ms, is_cut } = notice;
    log("voice_changed", { session: this.ctx.id.toString(), provider, voice, reason, pts_ms, is_cut });
    this.#connection?.notify(notice);
  }

  #notices(): NoticeMessage[] {
    const { voices, rateHz } = this.#request!;
    const changes = this.#pipeline?.tape.position.changes ?? [];
    return changes.map(({ samples, failure, isCut }, i) => ({
      type: "notice",
      reason: failure.reason,
      message: failure.message,
      provider: voices[i + 1]!.provider,
      voice: voices[i + 1]!.voice,
      pts_ms: Math.round((samples / rateHz) * 1000),
      is_cut: isCut,
    }));
  }

  /** The session ends so, if it has not ended before; the client is told how it ended. */
  async #end(final: TerminalMessage): Promise<void> {
    const life = this.#life!;
    this.#pipeline?.stopPlaying();
    // A replay that breaks off is no eos, whatever the session's own end was.
    if (life.final) return this.#tell(life.final.type === "eos" ? final : life.final);
    this.#pipeline?.stop();
    const state = stateAfter(final);
    const ended = { ...life, ...this.#progress(), state, final, endedAt: Date.now() };
    this.#life = ended;
    const { startedAt, firstAudioAt, counts, notices } = ended;
    const { voices, format, sampleRateHz } = this.#request!;
    log("stream", {
      session: this.ctx.id.toString(),
      provider: voices[0].provider,
      voice: voices[0].voice,
      format,
      sample_rate_hz: sampleRateHz,
      ...counts,
      voice_changes: notices.length,
      first_audio_ms: firstAudioAt && startedAt && firstAudioAt - startedAt,
      ms: Date.now() - (startedAt ?? life.createdAt),
      outcome: state,
      ...(final.type === "error" && { reason: final.reason }),
    });
    await this.#save();
    this.#tell(final);
  }

  /** The client has heard enough of a session that has ended. */
  #leave(): void {
    this.#pipeline?.stopPlaying();
    this.#tell(errorMessage(CANCELLED));
  }

  #tell(final: TerminalMessage): void {
    const connection = this.#letGo();
    connection?.end(final);
  }

  /** From now on nobody is connected. */
  #letGo(): Connection | undefined {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#pipeline?.outbox.connect(undefined);
    return connection;
  }

  /** A client is gone; its session goes on without it for a while. */
  async #disconnected(connection: Connection): Promise<void> {
    if (connection !== this.#connection) return;
    this.#letGo();
    const life = this.#life!;
    if (life.final) return this.#pipeline?.stopPlaying();
    this.#life = { ...life, ...this.#firstAudio(), droppedAt: Date.now() };
    await this.#save({ allowUnconfirmed: true });
  }

  async #received(connection: Connection, data: string | ArrayBuffer): Promise<void> {
    if (connection !== this.#connection) return; // an older connection's last words
    try {
      const message = parseClientMessage(data);
      if (message.type === "cancel") {
        return await (this.#life!.final ? this.#leave() : this.#end(errorMessage(CANCELLED)));
      }
      const { sentSeq } = connection.window;
      if (!connection.window.ack(message.seq)) {
        throw new GatewayError("invalid_ack", `ack of ${message.seq}, but the last seq sent is ${sentSeq}`);
      }
      this.#pipeline!.outbox.wake();
    } catch (error) {
      this.#refuse(this.#failure(error));
    }
  }

  /** Ends the connection of the moment, not the session. */
  #refuse(failure: Failure): void {
    const connection = this.#connection;
    connection?.refuse(failure);
    if (connection) void this.#disconnected(connection);
  }

  /** Gives up a session that nobody asks for: ends a stream without a client, forgets one that has ended. */
  override async alarm(): Promise<void> {
    const life = this.#life;
    if (life?.final && this.#connection) return this.ctx.storage.setAlarm(Date.now() + LIFETIMES.graceMs); // it is heard
    if (life && Date.now() < dueAt(life, LIFETIMES, Date.now())) return this.#save({ allowUnconfirmed: true });
    const failure = this.#pipeline?.tape.position.ended?.failure ?? ABANDONED;
    if (life?.startedAt !== undefined && !life.final) return this.#end(errorMessage(failure));
    this.#request = undefined;
    this.#life = undefined;
    this.#pipeline = undefined;
    await this.ctx.storage.deleteAll();
  }

  /** How far the work has come. */
  #progress() {
    const { counts } = this.#open();
    return { ...this.#firstAudio(), counts, notices: this.#notices() };
  }

  #firstAudio(): Pick<Lifecycle, "firstAudioAt"> {
    const firstAudioAt = this.#life!.firstAudioAt ?? this.#pipeline?.outbox.firstSentAt;
    return firstAudioAt === undefined ? {} : { firstAudioAt };
  }

  #failure(error: unknown): Failure {
    if (!(error instanceof GatewayError)) logBug(error, { session: this.ctx.id.toString() });
    return failureOf(error);
  }

  /** Keeps the lifecycle, and sets the alarm that it calls for. */
  async #save(options: DurableObjectPutOptions = {}): Promise<void> {
    const { storage } = this.ctx;
    const alarmAt = dueAt(this.#life!, LIFETIMES, Date.now());
    await Promise.all([storage.put(LIFECYCLE, this.#life, options), storage.setAlarm(alarmAt, options)]);
  }
}

function aboveLast(after: number, last: number): GatewayError {
  return new GatewayError("invalid_after", `after=${after} is above the last seq, ${last}`);
}

/** @throws GatewayError `bad_message` and `payload_too_large`. */
function parseClientMessage(data: string | ArrayBuffer): ClientMessage {
  const length = typeof data === "string" ? data.length : data.byteLength;
  if (length > MAX_CLIENT_MESSAGE) {
    throw new GatewayError("payload_too_large", `a message may have at most ${MAX_CLIENT_MESSAGE} characters`);
  }
  let value: unknown;
  try {
    value = typeof data === "string" ? JSON.parse(data) : undefined;
  } catch {
    // answered below
  }
  const parsed = clientMessageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new GatewayError("bad_message", 'a client says {"type":"ack","seq":N} or {"type":"cancel"} and nothing else');
}
