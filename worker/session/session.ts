/** The Durable Object of one session: its text is recorded on the tape, and the tape played to whoever connects. */
import { DurableObject } from "cloudflare:workers";
import { CLOSE, type ClientMessage, type TerminalMessage } from "../../protocol/messages.ts";
import type { Region } from "../containers/region.ts";
import { errorMessage, failureOf, GatewayError, unknownSession, type Failure } from "../errors.ts";
import { log, logBug } from "../log.ts";
import { afterSchema, clientMessageSchema } from "../schemas.ts";
import { backendsFor, config } from "../setup.ts";
import { sleep } from "../sleep.ts";
import type { SpeechRequest } from "../speech-request.ts";
import type { TranscoderLimits } from "../transcoder.ts";
import { Connection, offersBinary, refuseWebSocket, upgraded } from "./connection.ts";
import { encodeTape } from "./encode.ts";
import { cutMessages, mostMessages } from "./message-cutter.ts";
import { Outbox, START, type Position } from "./outbox.ts";
import {
  dueAt,
  sessionStatus,
  stateAfter,
  type Lifetimes,
  type SessionCounts,
  type SessionRecord,
  type SessionStatus,
} from "./lifecycle.ts";
import { record, type Recording } from "./recorder.ts";
import { segmentText } from "./segmenter.ts";
import { tapeStorage } from "./tape-storage.ts";
import { Tape } from "./tape.ts";

/** Longest message a client may send, in characters or bytes: an ack has about 30. */
const MAX_CLIENT_MESSAGE = 4096;

const RECORD = "record";

const LIFETIMES: Lifetimes = {
  unclaimedMs: config.UNCLAIMED_TTL_MS,
  graceMs: config.RECONNECT_GRACE_MS,
  endedMs: config.ENDED_TTL_MS,
};

const TRANSCODER_LIMITS: TranscoderLimits = {
  waitMs: config.TRANSCODER_WAIT_MS,
  stallMs: config.TRANSCODER_STALL_MS,
};

/** How often a stream is encoded again by another transcoder without getting any further. */
const PLAY_ATTEMPTS = 3;

/** Messages passed over before other work of the isolate gets its turn. */
const MESSAGES_PER_TURN = 64;

const CANCELLED: Failure = { reason: "cancelled", message: "the session was cancelled" };
const ABANDONED: Failure = { reason: "cancelled", message: "the client did not come back in time" };

export class Session extends DurableObject<Env> {
  #record: SessionRecord | undefined;
  #tape: Tape | undefined;
  #recording: Recording | undefined;
  /** What an object that was lost may have sent: at most this seq. */
  #sentBefore = 0;
  /** Stops the recorder, and the player of the moment. */
  readonly #recorder = new AbortController();
  #player: AbortController | undefined;
  #connection: Connection | undefined;
  readonly #outbox = new Outbox(config.WINDOW_BYTES, config.STALL_TIMEOUT_MS, (connection) => {
    connection.close(CLOSE.tryLater, "stalled");
    void this.#disconnected(connection);
  });

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#record = ctx.storage.kv.get<SessionRecord>(RECORD);
    // A stream found in storage lost its client with the object that it ran in.
    if (this.#record?.state === "streaming") this.#record.droppedAt ||= Date.now();
  }

  async create(request: SpeechRequest, region: Region): Promise<void> {
    this.#record = { request, region, state: "created", createdAt: Date.now(), droppedAt: 0 };
    await this.#save();
  }

  status(): SessionStatus | undefined {
    if (!this.#record) return undefined;
    const { request, counts } = this.#record;
    const now = counts ?? this.#counts(request);
    return sessionStatus(this.ctx.id.toString(), this.#record, now);
  }

  /** @returns false if there is no such session. One that has ended stays as it ended. */
  async cancel(): Promise<boolean> {
    if (!this.#record) return false;
    if (!this.#record.final) await this.#end(errorMessage(CANCELLED));
    return true;
  }

  /** A client connects: from now on it is the one that the session is played to. */
  override fetch(request: Request): Response {
    try {
      const after = this.#judgeAfter(new URL(request.url).searchParams.get("after"));
      const { 0: client, 1: server } = new WebSocketPair();
      const connection = new Connection(server, {
        after,
        isBinary: offersBinary(request),
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
    if (!this.#record) throw unknownSession();
    const parsed = afterSchema.safeParse(value ?? "0");
    if (!parsed.success) throw new GatewayError("invalid_after", "after must be the seq of an audio message, or 0");
    const last = this.#lastSeq(this.#record);
    if (parsed.data > last) throw aboveLast(parsed.data, last);
    return parsed.data;
  }

  /** The last seq any client was sent; of what an object sent that is lost since, the most it can have been. */
  #lastSeq({ request, state, counts }: SessionRecord): number {
    if (counts) return counts.messages;
    if (state === "created") return 0;
    if (!this.#tape) {
      this.#tape = new Tape(tapeStorage(this.ctx.storage), request.voiceRateHz);
      this.#sentBefore = mostMessages(this.#tape.durationMs);
    }
    return Math.max(this.#outbox.sent.seq, this.#sentBefore);
  }

  /** Plays the session to a new connection: on from what is at hand, else from the tape. */
  async #serve(connection: Connection, after: number): Promise<void> {
    const kept = this.#record!;
    const { final, counts } = kept;
    if (final && (kept.state === "cancelled" || after === counts!.messages)) return this.#tell(final);
    if (!final) this.#record = { ...kept, state: "streaming", startedAt: kept.startedAt ?? Date.now(), droppedAt: 0 };
    this.#recording ??= this.#open(kept);
    if (!this.#player || !this.#outbox.catchUp(connection)) {
      this.ctx.waitUntil(this.#play(this.#recording.tape, after));
    }
    this.#outbox.connect(connection);
    if (!final) await this.#save({ allowUnconfirmed: true });
  }

  /** Opens the tape, and has recorded what is still missing on it. */
  #open({ request, final }: SessionRecord): Recording {
    const tape = (this.#tape ??= new Tape(tapeStorage(this.ctx.storage), request.voiceRateHz));
    const { signal } = this.#recorder;
    const recording: Recording = {
      request,
      segments: segmentText(request.text, request.language, request.maxChars),
      tape,
      limits: {
        firstAudioTimeoutMs: config.FIRST_AUDIO_TIMEOUT_MS,
        gapTimeoutMs: config.GAP_TIMEOUT_MS,
        attempts: config.PROVIDER_ATTEMPTS,
      },
      counts: { utterances: 0, retries: 0 },
      mayGoOn: () => this.#outbox.sentUpTo(tape.durationMs - config.TAPE_LEAD_MS, signal),
    };
    if (final) tape.end();
    else if (!tape.position.ended) this.ctx.waitUntil(this.#fill(recording, signal));
    return recording;
  }

  async #fill(recording: Recording, signal: AbortSignal): Promise<void> {
    const { request, tape } = recording;
    try {
      const provider = backendsFor(this.#record!.region).providers.get(request.provider);
      if (!provider) throw new GatewayError("not_ready", `provider ${request.provider} is not set up any more`);
      await record(recording, provider, signal);
      tape.end();
    } catch (error) {
      if (!signal.aborted) tape.end(this.#failure(error));
    }
  }

  /** Encodes the tape from its start and delivers the messages after `after`, then says how the session ended. */
  async #play(tape: Tape, after: number, attemptsLeft = PLAY_ATTEMPTS): Promise<void> {
    this.#player?.abort();
    const player = new AbortController();
    this.#player = player;
    this.#outbox.rewind(after);
    try {
      const { request, region, counts } = this.#record!;
      const { transcoder } = backendsFor(region);
      const lastSeq = counts?.messages;
      const { packets, sampleRateHz } = encodeTape(tape, request, transcoder, TRANSCODER_LIMITS, player.signal);
      let last: Position = START;
      for await (const message of cutMessages(packets, sampleRateHz)) {
        last = message;
        if (lastSeq !== undefined && message.seq > lastSeq) break; // the stream that failed came no further
        if (message.seq <= after) {
          this.#outbox.passOver(message);
          if (message.seq % MESSAGES_PER_TURN === 0) await sleep(0, player.signal);
          continue;
        }
        await this.#outbox.deliver(message, player.signal);
        this.#record!.firstAudioAt ??= Date.now();
      }
      player.signal.throwIfAborted();
      const failure = tape.position.ended?.failure;
      const { seq, endMs, endByte } = last;
      if (after > seq) this.#refuse(aboveLast(after, seq).failure);
      await this.#end(failure ? errorMessage(failure) : { type: "eos", seq, duration_ms: endMs, bytes: endByte });
    } catch (error) {
      if (player.signal.aborted) return;
      const failure = this.#failure(error);
      const { deliveredSeq } = this.#outbox;
      // What was encoded so far is lost with the transcoder, but it can be made again from the tape.
      if (failure.reason !== "transcoder_failed" || attemptsLeft === 1) return await this.#end(errorMessage(failure));
      await this.#play(tape, deliveredSeq, deliveredSeq > after ? PLAY_ATTEMPTS : attemptsLeft - 1);
    }
  }

  /** The session ends so, if it has not ended before; the client is told how it ended. */
  async #end(final: TerminalMessage): Promise<void> {
    const kept = this.#record!;
    this.#player?.abort();
    this.#player = undefined;
    // A replay that breaks off is no eos, whatever the session's own end was.
    if (kept.final) return this.#tell(kept.final.type === "eos" ? final : kept.final);
    this.#recorder.abort();
    this.#recording?.tape.end();
    const counts = this.#counts(kept.request);
    const { firstAudioAt, startedAt } = kept;
    this.#record = { ...kept, state: stateAfter(final), final, counts, endedAt: Date.now() };
    log("stream", {
      session: this.ctx.id.toString(),
      provider: kept.request.provider,
      voice: kept.request.voice,
      format: kept.request.format,
      sample_rate_hz: kept.request.sampleRateHz,
      ...counts,
      first_audio_ms: firstAudioAt && startedAt && firstAudioAt - startedAt,
      ms: Date.now() - (startedAt ?? kept.createdAt),
      outcome: this.#record.state,
      ...(final.type === "error" && { reason: final.reason }),
    });
    await this.#save();
    this.#tell(final);
  }

  /** The client has heard enough of a session that has ended. */
  #leave(): void {
    this.#player?.abort();
    this.#player = undefined;
    this.#tell(errorMessage(CANCELLED));
  }

  #tell(final: TerminalMessage): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#outbox.connect(undefined);
    connection?.end(final);
  }

  /** A client is gone; its session goes on without it for a while. */
  async #disconnected(connection: Connection): Promise<void> {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    this.#outbox.connect(undefined);
    const kept = this.#record!;
    if (kept.final) {
      this.#player?.abort();
      this.#player = undefined;
      return;
    }
    this.#record = { ...kept, droppedAt: Date.now() };
    await this.#save({ allowUnconfirmed: true });
  }

  async #received(connection: Connection, data: string | ArrayBuffer): Promise<void> {
    if (connection !== this.#connection) return; // an older connection's last words
    try {
      const message = parseClientMessage(data);
      if (message.type === "cancel")
        return await (this.#record!.final ? this.#leave() : this.#end(errorMessage(CANCELLED)));
      const { sentSeq } = connection.window;
      if (!connection.window.ack(message.seq)) {
        throw new GatewayError("invalid_ack", `ack of ${message.seq}, but the last seq sent is ${sentSeq}`);
      }
      this.#outbox.wake();
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
    const kept = this.#record;
    if (kept?.final && this.#connection) return this.ctx.storage.setAlarm(Date.now() + LIFETIMES.graceMs); // it is heard
    if (kept && Date.now() < dueAt(kept, LIFETIMES, Date.now())) return this.#save({ allowUnconfirmed: true });
    const failure = this.#recording?.tape.position.ended?.failure ?? ABANDONED;
    if (kept?.startedAt !== undefined && !kept.final) return this.#end(errorMessage(failure));
    this.#record = undefined;
    await this.ctx.storage.deleteAll();
  }

  #counts({ text }: SpeechRequest): SessionCounts {
    const recording = this.#recording;
    const { sent } = this.#outbox;
    return {
      characters: text.length,
      segments: recording?.segments.length ?? 0,
      segments_recorded: recording?.tape.position.segment ?? 0,
      utterances: recording?.counts.utterances ?? 0,
      retries: recording?.counts.retries ?? 0,
      recorded_ms: Math.round(recording?.tape.durationMs ?? 0),
      sent_ms: sent.endMs,
      messages: sent.seq,
      bytes: sent.endByte,
    };
  }

  #failure(error: unknown): Failure {
    if (!(error instanceof GatewayError)) logBug(error, { session: this.ctx.id.toString() });
    return failureOf(error);
  }

  /** Keeps the record, and sets the alarm that its state calls for. */
  async #save(options: DurableObjectPutOptions = {}): Promise<void> {
    const { storage } = this.ctx;
    const alarmAt = dueAt(this.#record!, LIFETIMES, Date.now());
    await Promise.all([storage.put(RECORD, this.#record, options), storage.setAlarm(alarmAt, options)]);
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
