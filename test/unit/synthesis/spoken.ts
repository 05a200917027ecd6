/** Whole syntheses on logs in memory, with a listener who takes what comes. */
import { Call } from "../../../worker/breaker/circuit-client.ts";
import { failureOf } from "../../../worker/base/errors.ts";
import type { AudioFormat } from "../../../protocol/formats.ts";
import type { Row, VoiceChange } from "../../../worker/message-log/stored-row.ts";
import { MockTone } from "../../../worker/providers/mock-tone.ts";
import type { Provider } from "../../../worker/providers/provider.ts";
import type { SpeechRequest } from "../../../worker/synthesis/speech-request.ts";
import { Synthesis } from "../../../worker/synthesis/synthesis.ts";
import type { Upstream } from "../../../worker/upstreams/upstream.ts";
import { messagesOf } from "../message-log/log-fixtures.ts";
import { MemoryLogStore } from "../message-log/memory-log-store.ts";

export const MOCK_RATE = 16_000;

/** Half a minute of the mock tone, in seven segments. */
export const TEXT = Array.from(
  { length: 7 },
  (_, i) => `The tide number ${i} came in over the flat sand while children built walls.`,
).join(" ");

const mock = { provider: "mock_tone", voice: "en-US-mock-1", language: "en-US", rateHz: MOCK_RATE };

export interface Options {
  format?: AudioFormat;
  sampleRateHz?: number;
  text?: string;
  voices?: SpeechRequest["voices"];
  providers?: readonly Provider[];
  /** Rows that another object wrote. */
  rows?: readonly Row[];
  transcoder?: Upstream | undefined;
  transcoderWaitMs?: number;
  firstAudioMs?: number;
  leadMs?: number;
}

export function synthesisOf(options: Options = {}) {
  const { format = "pcm16", sampleRateHz = MOCK_RATE, text = TEXT, voices = [mock], leadMs = 30_000 } = options;
  const store = new MemoryLogStore(options.rows);
  const told: string[] = [];
  const changes: VoiceChange[] = [];
  const providers = [new MockTone(), ...(options.providers ?? [])];
  const synthesis = new Synthesis(
    { voices, text, maxChars: 300, rateHz: MOCK_RATE, format, sampleRateHz, region: "enam" },
    store,
    {
      providers: new Map(providers.map((provider) => [provider.id, provider])),
      transcoder: options.transcoder,
      transcoderLimits: { waitMs: options.transcoderWaitMs ?? 1_000, stallMs: 2_000 },
      timeouts: { firstAudioMs: options.firstAudioMs ?? 5_000, gapMs: 5_000 },
      admit: async () => new Call(1_000, (outcome) => void told.push(outcome)),
    },
    { retries: { attempts: 3, busyMs: 1_000, goneMs: 2_000 }, leadMs },
    { onChange: (change) => void changes.push(change), failureOf },
  );
  return { synthesis, store, told, changes };
}

/** Tells the synthesis that all that its log has was sent, as a delivery does that waits for more. */
export async function listen({ log, heard }: { log: Synthesis["log"]; heard: (ms: number) => void }): Promise<void> {
  const { signal } = new AbortController();
  while (!log.end.ended) {
    heard(log.endMs);
    await log.changed.next(signal);
  }
}

/** A synthesis that is heard to its end. */
export async function spoken(options: Options = {}) {
  const all = synthesisOf(options);
  const { synthesis, store } = all;
  const listening = listen({ log: synthesis.log, heard: (ms) => synthesis.heard(ms) });
  await synthesis.run();
  await listening;
  const { log } = synthesis;
  const words = store.rows.flatMap((row) => row.words);
  return { ...all, log, messages: messagesOf(log), words };
}
