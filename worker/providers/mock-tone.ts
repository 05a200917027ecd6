/**
 * A provider that needs no engine: every word is a note. Each note holds a whole number of periods, and a period a whole
 * number of samples, so that the tone runs on without a jump from note to note and from utterance to utterance, and is
 * the same to the sample in every run.
 */
import { messageEnd } from "../../protocol/message-size.ts";
import { RequestFault, type Catalog, type Provider, type SpeechPiece, type Utterance, type Voice } from "./provider.ts";

const SAMPLE_RATE_HZ = 16_000;

/** Samples per period of a pentatonic scale from about 220 to 530 Hz, at 16 kHz. */
const PERIODS = [73, 65, 58, 49, 43, 36, 30] as const;

/** How long a note is: about as long as its word would be spoken (15 characters a second). */
const MS_PER_CHAR = 65;

/** A third of full scale. */
const AMPLITUDE = 0x2aaa;

/** Audio of one piece, in samples. */
const PIECE_SAMPLES = SAMPLE_RATE_HZ / 10;

/** How much of a delay a paced voice makes up for, in ms. */
const CATCH_UP_MS = 1_000;

/** A frame of raw audio, in samples: the messages of a stream of PCM hold whole ones. */
const FRAME_SAMPLES = SAMPLE_RATE_HZ / 50;

/** Pieces made before other work of the isolate gets its turn: a second of audio. */
const PIECES_PER_TURN = 10;

interface MockVoice extends Voice {
  /** How far the scale is moved up, in notes. */
  transpose: number;
  /** Its audio comes at the speed of speech. */
  paced: boolean;
}

const VOICES: readonly MockVoice[] = [
  { id: "en-US-mock-1", name: "Mock tone", languages: ["en-US"], transpose: 0, paced: false },
  { id: "en-US-mock-2", name: "Mock tone, higher", languages: ["en-US"], transpose: 3, paced: false },
  { id: "en-US-mock-paced", name: "Mock tone at real time", languages: ["en-US"], transpose: 0, paced: true },
  { id: "de-DE-mock-1", name: "Mock tone, German", languages: ["de-DE"], transpose: 1, paced: false },
  { id: "ja-JP-mock-1", name: "Mock tone, Japanese", languages: ["ja-JP"], transpose: 2, paced: false },
];

interface Note {
  /** Samples a period, and whole periods. */
  period: number;
  periods: number;
}

function noteFor(word: string, transpose: number): Note {
  let hash = 0;
  for (let i = 0; i < word.length; i++) hash = (hash * 31 + word.charCodeAt(i)) >>> 0;
  const period = PERIODS[(hash + transpose) % PERIODS.length]!;
  const samples = ((word.length + 1) * MS_PER_CHAR * SAMPLE_RATE_HZ) / 1000;
  return { period, periods: Math.max(1, Math.round(samples / period)) };
}

function onePeriod(period: number): Int16Array {
  return Int16Array.from({ length: period }, (_, i) => Math.round(AMPLITUDE * Math.sin((2 * Math.PI * i) / period)));
}

/** The periods of every note, repeated for longer than a piece: pieces are copied out of them. */
const WAVES: ReadonlyMap<number, Int16Array> = new Map(
  PERIODS.map((period) => {
    const wave = new Int16Array(period * Math.ceil(PIECE_SAMPLES / period + 1));
    for (let at = 0; at < wave.length; at += period) wave.set(onePeriod(period), at);
    return [period, wave];
  }),
);

function audioPiece(samples: Int16Array): SpeechPiece {
  const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  return { type: "audio", samples: samples.length, data };
}

/** Pauses are short: an abort is looked for after them. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class MockTone implements Provider {
  readonly id = "mock_tone";
  readonly circuitName = "mock_tone";

  async catalog(): Promise<Catalog> {
    const voices = VOICES.map(({ id, name, languages }) => ({ id, name, languages }));
    return { voices, sampleRateHz: SAMPLE_RATE_HZ, maxChars: 2_000 };
  }

  async *speak({ text, voice: voiceId, language, place }: Utterance, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    const voice = VOICES.find(({ id }) => id === voiceId);
    if (!voice) throw new RequestFault("unknown_voice", `mock_tone has no voice ${voiceId}`);
    yield { type: "event", event: { type: "format", sample_rate: SAMPLE_RATE_HZ } };
    const { startMs, streamBeganAt } = place ?? { startMs: 0, streamBeganAt: Date.now() };
    // A stream that was held up for a moment catches up; one that was held up for longer goes on at real time.
    const startedAt = Math.max(streamBeganAt + startMs, Date.now() - CATCH_UP_MS);
    const spokenAt = (sample: number) => pause(startedAt + (sample / SAMPLE_RATE_HZ) * 1000 - Date.now());
    // Each wake-up costs: a paced voice gives its audio where the stream's messages end, at real time all the same.
    const streamStart = (startMs * SAMPLE_RATE_HZ) / 1000;
    const pieceAt = (sample: number) => {
      if (!voice.paced) return new Int16Array(PIECE_SAMPLES);
      const at = Math.round(streamStart + sample);
      return new Int16Array(messageEnd(at, FRAME_SAMPLES, SAMPLE_RATE_HZ) - at);
    };
    /** Samples in the pieces before. */
    let samples = 0;
    let pieces = 0;
    let piece = pieceAt(0);
    let filled = 0;
    for (const { segment, index, isWordLike } of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) {
      if (!isWordLike) continue;
      yield { type: "event", event: { type: "word", start: index, length: segment.length, sample: samples + filled } };
      const { period, periods } = noteFor(segment, voice.transpose);
      const wave = WAVES.get(period)!;
      for (let at = 0; at < period * periods;) {
        const count = Math.min(piece.length - filled, period * periods - at);
        piece.set(wave.subarray(at % period, (at % period) + count), filled);
        at += count;
        filled += count;
        if (filled < piece.length) continue;
        if (voice.paced) await spokenAt(samples + filled);
        else if (pieces % PIECES_PER_TURN === 0) await pause(0);
        signal.throwIfAborted();
        yield audioPiece(piece);
        samples += filled;
        piece = pieceAt(samples);
        pieces++;
        filled = 0;
      }
    }
    if (filled === 0) return;
    if (voice.paced) await spokenAt(samples + filled);
    yield audioPiece(piece.subarray(0, filled));
  }
}
