import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MockTone } from "../../../worker/providers/mock-tone.ts";
import { ProviderError, type SpeechPiece } from "../../../worker/providers/provider.ts";
import { upstreamAt } from "../../../worker/upstreams/upstream.ts";
import { concat } from "../bytes.ts";
import { messagesOf } from "../message-log/log-fixtures.ts";
import { listen, spoken, synthesisOf, TEXT } from "./spoken.ts";

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const NOBODY = upstreamAt("http://127.0.0.1:1");

/** The mock tone, which tells when a segment is asked of it, and may fail instead. */
class AskedTone extends MockTone {
  readonly onAsk: (count: number) => ProviderError | undefined | void;
  count = 0;

  constructor(onAsk: AskedTone["onAsk"] = () => {}) {
    super();
    this.onAsk = onAsk;
  }

  override async *speak(...of: Parameters<MockTone["speak"]>): AsyncGenerator<SpeechPiece> {
    const failure = this.onAsk(++this.count);
    yield* super.speak(...of);
    if (failure) throw failure;
  }
}

describe("a synthesis", () => {
  it("speaks its text to the end, segment after segment, with each word once", async () => {
    const { log, messages, words } = await spoken();
    expect(log.end.ended).toEqual({});
    expect(log.counts).toMatchObject({ segments: 7, utterances: 7, retries: 0, encodedAgainMs: 0 });
    expect(messages.at(-1)!.endByte).toBe(log.counts.pcmSamples * 2);
    const spokenWords = words.map(({ textStart, length }) => TEXT.slice(textStart, textStart + length));
    expect(spokenWords).toEqual(TEXT.match(/\w+/g));
    expect(words.map(({ pcmSample }) => pcmSample)).toEqual(
      words.map(({ pcmSample }) => pcmSample).toSorted((a, b) => a - b),
    );
  });

  it("does nothing before it is run, runs once, and not at all where the log has ended", async () => {
    const tone = new AskedTone();
    const { synthesis, store } = synthesisOf({ providers: [tone] });
    expect(tone.count).toBe(0);
    void listen({ log: synthesis.log, heard: (ms) => synthesis.heard(ms) });
    await Promise.all([synthesis.run(), synthesis.run()]);
    expect(tone.count).toBe(7);
    const again = synthesisOf({ providers: [tone], rows: store.rows });
    await again.synthesis.run();
    expect([tone.count, again.store.rows.length]).toEqual([7, store.rows.length]);
  });

  it("that is stopped ends where it stands, and asks for nothing more", async () => {
    const tone = new AskedTone();
    const { synthesis } = synthesisOf({ providers: [tone], leadMs: 0 });
    const running = synthesis.run();
    await vi.waitFor(() => expect(synthesis.log.end.seq).toBeGreaterThan(0));
    synthesis.stop();
    const { seq } = synthesis.log.end;
    expect(synthesis.log.end.ended).toEqual({});
    await running;
    synthesis.heard(60_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([synthesis.log.end.seq, tone.count]).toEqual([seq, 1]);
  });

  it("whose voice fails keeps what was heard, and says why it ended", async () => {
    const failed = (count: number) =>
      count === 3 ? new ProviderError("retry", "synthesis_failed", "secret") : undefined;
    const { log, messages } = await spoken({ providers: [new AskedTone(failed)] });
    const whole = await spoken();
    expect(log.end.ended).toMatchObject({ failure: { reason: "provider_failed" } });
    expect(messages.length).toBeGreaterThan(10);
    const heard = concat(messages.map(({ data }) => data));
    expect(heard).toEqual(concat(whole.messages.map(({ data }) => data)).subarray(0, heard.length));
  });

  it("that fails of a bug says no more than that", async () => {
    const { log } = await spoken({
      providers: [
        new AskedTone(() => {
          throw new TypeError("secret");
        }),
      ],
    });
    expect(log.end.ended).toEqual({
      failure: { reason: "internal", message: "the gateway failed; its log says why" },
    });
  });
});

describe("a voice that says nothing", () => {
  it.each([16_000, 22_050])("at %i Hz ends the stream when its time is over", async (rateHz) => {
    const hanging = Object.assign(new MockTone(), {
      id: "hanging",
      // oxlint-disable-next-line require-yield
      async *speak(_: unknown, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
        await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      },
    });
    const voices = [{ provider: "hanging", voice: "v", language: "en-US", rateHz }] as const;
    const { log, told } = await spoken({ voices, providers: [hanging], transcoder: NOBODY, firstAudioMs: 50 });
    expect(log.end.ended).toMatchObject({ failure: { reason: "provider_timeout" } });
    expect(told).toEqual(["failed", "failed", "failed"]);
  });
});

describe("the lead", () => {
  it.each([0, 1, 3_000, 30_000])(
    "of %i ms reaches the end, and no segment is asked for further ahead",
    async (leadMs) => {
      const ahead: number[] = [];
      let heardMs = 0;
      const tone = new AskedTone(() => void ahead.push(synthesis.log.endMs - heardMs));
      const { synthesis } = synthesisOf({ providers: [tone], leadMs });
      const heard = (ms: number) => {
        heardMs = ms;
        synthesis.heard(ms);
      };
      const listening = listen({ log: synthesis.log, heard });
      await synthesis.run();
      await listening;
      expect(synthesis.log.end.ended).toEqual({});
      expect(ahead).toHaveLength(7);
      for (const ms of ahead) expect(ms).toBeLessThanOrEqual(leadMs);
    },
  );

  it("stops before a segment while nobody listens, and goes on as far as somebody does", async () => {
    const tone = new AskedTone();
    const { synthesis } = synthesisOf({ providers: [tone], leadMs: 6_000 });
    const running = synthesis.run();
    const rests = async (count: number) => {
      await vi.waitFor(() => expect(tone.count).toBe(count));
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(tone.count).toBe(count);
    };
    await rests(2); // each has about five seconds
    synthesis.heard(synthesis.log.endMs - 6_001);
    await rests(2);
    synthesis.heard(synthesis.log.endMs - 6_000);
    await rests(3);
    synthesis.heard(60_000);
    synthesis.heard(0); // a second listener, who is far behind, holds nothing up
    await running;
    expect(tone.count).toBe(7);
  });
});

describe("a transcoder that cannot be reached", () => {
  it("is not waited for where the engine has failed before it spoke", async () => {
    const broken = new AskedTone();
    // oxlint-disable-next-line require-yield
    broken.speak = async function* () {
      throw new ProviderError("never", "unknown_voice", "");
    };
    const started = performance.now();
    const { log } = await spoken({ format: "mp3", providers: [broken], transcoder: NOBODY, transcoderWaitMs: 60_000 });
    expect(log.end.ended).toMatchObject({ failure: { reason: "invalid_request" } });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("ends the stream when its time is over, and the engine is let go of", async () => {
    const tone = new AskedTone();
    const { log, told } = await spoken({
      format: "mp3",
      providers: [tone],
      transcoder: NOBODY,
      transcoderWaitMs: 300,
    });
    expect(log.end).toMatchObject({ seq: 0, ended: { failure: { reason: "transcoder_unavailable" } } });
    await vi.waitFor(() => expect(told).toEqual(["ignored"]));
    expect(tone.count).toBe(1);
  });

  it("counts against no provider's circuit where a voice needs to be resampled", async () => {
    const other = { provider: "other", voice: "v", language: "en-US", rateHz: 22_050 };
    const speak = async function* (): AsyncGenerator<SpeechPiece> {
      yield { type: "event", event: { type: "format", sample_rate: 22_050 } };
      for (let i = 0; i < 50; i++) yield { type: "audio", samples: 2_205, data: new Uint8Array(4_410) };
    };
    const provider = Object.assign(new MockTone(), { id: "other", speak });
    const { log, told } = await spoken({
      voices: [other],
      providers: [provider],
      transcoder: NOBODY,
      transcoderWaitMs: 600,
      firstAudioMs: 100, // the provider has long spoken when the transcoder's time is over
    });
    expect(log.end.ended).toMatchObject({ failure: { reason: "transcoder_failed" } });
    expect(told).toEqual(["ignored", "ignored", "ignored"]);
    expect(messagesOf(log)).toEqual([]);
  });
});
