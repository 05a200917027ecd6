/** What a session does: has its text recorded on the tape, and the tape played to the client of the moment. */
import type { TerminalMessage } from "../../protocol/messages.ts";
import type { Background } from "../breaker/circuit-client.ts";
import { errorMessage, type Failure } from "../base/errors.ts";
import { config } from "../config/config.ts";
import { backendsFor } from "../providers/backends.ts";
import { sleep } from "../base/sleep.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";
import type { TranscoderLimits } from "../upstreams/transcoder.ts";
import type { Connection } from "../delivery/connection.ts";
import { encodeTape } from "../synthesis/encode.ts";
import type { SessionCounts } from "./lifecycle.ts";
import { cutMessages } from "../synthesis/message-cutter.ts";
import { Outbox, START, type Position } from "../delivery/outbox.ts";
import { recordSpeech } from "../synthesis/recorder.ts";
import { segmentText, type Segment } from "../text/segmenter.ts";
import { speakersOf } from "../synthesis/voices.ts";
import { Tape, type TapeStore } from "../synthesis/tape.ts";

const TRANSCODER_LIMITS: TranscoderLimits = {
  waitMs: config.TRANSCODER_WAIT_MS,
  stallMs: config.TRANSCODER_STALL_MS,
};

const RECORDER_LIMITS = {
  firstAudioTimeoutMs: config.FIRST_AUDIO_TIMEOUT_MS,
  gapTimeoutMs: config.GAP_TIMEOUT_MS,
  goneTimeoutMs: config.PROVIDER_WAIT_MS,
  attempts: config.PROVIDER_ATTEMPTS,
};

/** How often a stream is encoded again by another transcoder without getting any further. */
const PLAY_ATTEMPTS = 3;

/** Messages passed over before other work of the isolate gets its turn. */
const MESSAGES_PER_TURN = 64;

export interface PipelineEvents {
  /** Keeps alive what nobody waits for. */
  background: Background;
  /** The client has taken nothing for too long. */
  onStalled: (connection: Connection) => void;
  /** Another voice goes on. */
  onChange: () => void;
  /** What the client is told of something that was thrown. */
  failureOf: (error: unknown) => Failure;
}

/** How a stream ended, and the seq of its last message. */
export interface Ending {
  final: TerminalMessage;
  seq: number;
}

export class Pipeline {
  readonly tape: Tape;
  readonly outbox: Outbox;
  readonly #request: SpeechRequest;
  readonly #segments: readonly Segment[];
  readonly #events: PipelineEvents;
  readonly #counts = { utterances: 0, retries: 0 };
  readonly #recorder = new AbortController();
  #player: AbortController | undefined;
  #isRecording = false;

  constructor(request: SpeechRequest, store: TapeStore, events: PipelineEvents) {
    this.#request = request;
    this.#events = events;
    this.#segments = segmentText(request.text, request.voices[0].language ?? "und", request.maxChars);
    this.tape = new Tape(store, request.rateHz);
    this.outbox = new Outbox(config.WINDOW_BYTES, config.STALL_TIMEOUT_MS, events.onStalled);
  }

  get isPlaying(): boolean {
    return this.#player !== undefined;
  }

  /** Has recorded what is still missing on the tape. */
  record(): void {
    if (this.#isRecording || this.tape.position.ended) return;
    this.#isRecording = true;
    this.#events.background(this.#record(this.#recorder.signal));
  }

  async #record(signal: AbortSignal): Promise<void> {
    const { tape, outbox } = this;
    const recording = {
      speakers: speakersOf(this.#request, TRANSCODER_LIMITS, this.#events.background),
      segments: this.#segments,
      tape,
      limits: RECORDER_LIMITS,
      counts: this.#counts,
      mayGoOn: () => outbox.sentUpTo(tape.durationMs - config.TAPE_LEAD_MS, signal),
      onChange: this.#events.onChange,
    };
    try {
      await recordSpeech(recording, signal);
      tape.end();
    } catch (error) {
      if (!signal.aborted) tape.end(this.#events.failureOf(error));
    }
  }

  /**
   * Encodes the tape from its start and delivers the messages after `after`.
   * @param lastSeq where an earlier player of the stream ended; it failed if the tape has more.
   * @returns how it ended; undefined if the player was stopped.
   */
  async play(after: number, lastSeq: number | undefined): Promise<Ending | undefined> {
    this.stopPlaying();
    const player = new AbortController();
    this.#player = player;
    for (let from = after, attempts = PLAY_ATTEMPTS; ;) {
      try {
        return await this.#playFrom(from, lastSeq, player.signal);
      } catch (error) {
        if (player.signal.aborted) return undefined;
        const failure = this.#events.failureOf(error);
        const { deliveredSeq } = this.outbox;
        attempts = deliveredSeq > from ? PLAY_ATTEMPTS : attempts - 1;
        from = deliveredSeq;
        // What was encoded so far is lost with the transcoder, but it can be made again from the tape.
        if (failure.reason !== "transcoder_failed" || attempts === 0) {
          return { final: errorMessage(failure), seq: deliveredSeq };
        }
      }
    }
  }

  async #playFrom(after: number, lastSeq: number | undefined, signal: AbortSignal): Promise<Ending> {
    const { tape, outbox } = this;
    const { transcoder } = backendsFor(this.#request.region);
    outbox.rewind(after);
    const { packets, sampleRateHz } = encodeTape(tape, this.#request, transcoder, TRANSCODER_LIMITS, signal);
    let last: Position = START;
    for await (const message of cutMessages(packets, sampleRateHz)) {
      if (lastSeq !== undefined && message.seq > lastSeq) break; // the stream that failed came no further
      last = message;
      if (message.seq <= after) {
        outbox.passOver(message);
        if (message.seq % MESSAGES_PER_TURN === 0) await sleep(0, signal);
      } else {
        await outbox.deliver(message, signal);
      }
    }
    signal.throwIfAborted();
    const { seq, endMs, endByte } = last;
    const failure = tape.position.ended?.failure;
    return { final: failure ? errorMessage(failure) : { type: "eos", seq, duration_ms: endMs, bytes: endByte }, seq };
  }

  stopPlaying(): void {
    this.#player?.abort();
    this.#player = undefined;
  }

  /** Stops all work, upstream too. */
  stop(): void {
    this.stopPlaying();
    this.#recorder.abort();
    this.tape.end();
  }

  get counts(): SessionCounts {
    const { tape, outbox } = this;
    return {
      characters: this.#request.text.length,
      segments: this.#segments.length,
      segments_recorded: tape.position.segment,
      ...this.#counts,
      recorded_ms: Math.round(tape.durationMs),
      sent_ms: outbox.sent.endMs,
      messages: outbox.sent.seq,
      bytes: outbox.sent.endByte,
    };
  }
}
