import { beforeEach, describe, expect, it } from "vitest";
import type { Failure } from "../../../worker/base/errors.ts";
import type { VoiceChange, Word } from "../../../worker/message-log/stored-row.ts";
import { appendMessages, openLog } from "./log-fixtures.ts";
import { MemoryLogStore } from "./memory-log-store.ts";

const failure: Failure = { reason: "provider_failed", message: "" };
const word = (textStart: number, pcmSample: number): Word => ({ textStart, length: 3, pcmSample });
const change = (pcmSample: number, isCut = false): VoiceChange => ({ failure, isCut, pcmSample });

let store: MemoryLogStore;
const wordsOfRows = () => store.rows.map(({ words }) => words.map(({ textStart }) => textStart));

beforeEach(() => {
  store = new MemoryLogStore();
});

describe("a word", () => {
  it("lies in the row of its audio, however early it was told", () => {
    const log = openLog(store);
    for (const [at, pcmSample] of [0, 49_999, 50_000, 99_999, 100_000, 100_001].entries())
      log.addWord(word(at, pcmSample));
    appendMessages(log, 1_000, 1); // two rows of 50,000 samples
    log.append(1, new Uint8Array(1));
    log.finish();
    expect(wordsOfRows()).toEqual([[0, 1], [2, 3], [4]]);
  });

  it("lies in the row of its audio also where the encoder has a delay, which its time excludes", () => {
    const log = openLog(store);
    log.delaySamples = 256;
    log.addWord(word(0, 49_743));
    log.addWord(word(4, 49_744));
    appendMessages(log, 500, 1); // PCM up to sample 49,744
    log.finish();
    expect(log.pcmEnd).toBe(49_744);
    expect(store.rows.map(({ words }) => words)).toEqual([[word(0, 49_743)], []]);
    expect(log.pcmMs(49_743)).toBe(49_743);
    expect(log.endMs).toBe(50_000);
  });

  it("has its place at the rate of the PCM", () => {
    const log = openLog(store, { sampleRateHz: 2_000, pcmRateHz: 1_000 });
    log.delaySamples = 200;
    log.addWord(word(0, 24_899));
    log.addWord(word(4, 24_900));
    appendMessages(log, 500, 1); // 50,000 encoded samples: (50,000 - 200) / 2 of PCM
    expect(log.pcmEnd).toBe(24_900);
    expect(wordsOfRows()).toEqual([[0]]);
    expect([log.pcmMs(24_899), log.endMs]).toEqual([24_899, 25_000]);
  });

  it("moves the place from which words are still to be told", () => {
    const log = openLog(store);
    log.addWord(word(7, 10));
    expect(log.end.wordsEnd).toBe(0);
    appendMessages(log, 1);
    expect(log.end.wordsEnd).toBe(10);
    log.addWord(word(12, 100));
    log.finish();
    expect(openLog(store).end.wordsEnd).toBe(10); // nobody heard the second
  });
});

describe("a segment", () => {
  const begin = (log: ReturnType<typeof openLog>, places: readonly number[]) => {
    for (const pcmSample of places) log.beginSegment({ textStart: pcmSample, pcmSample });
  };
  const kept = (log: ReturnType<typeof openLog>) => log.end.segments.map(({ pcmSample }) => pcmSample);

  it("is kept once it has begun to be heard", () => {
    const log = openLog(store);
    begin(log, [0, 99, 100]);
    expect(kept(log)).toEqual([]);
    appendMessages(log, 1);
    expect(kept(log)).toEqual([99]);
    appendMessages(log, 1);
    expect(kept(log)).toEqual([100]);
  });

  it("is kept while an encoder that goes on would have to hear of it: the one at the run-up's start, and all since", () => {
    const log = openLog(store, { runUpStart: (samples) => Math.max(0, samples - 400) });
    begin(log, [0, 150, 250, 300, 500, 650]);
    appendMessages(log, 6);
    expect(log.settings.runUpStart(log.end.samples)).toBe(200);
    expect(kept(log)).toEqual([150, 250, 300, 500]);
    appendMessages(log, 1); // the run-up begins at 300
    expect(kept(log)).toEqual([300, 500, 650]);
  });

  it("is kept from the first one on as long as the run-up reaches before it", () => {
    const log = openLog(store, { runUpStart: (samples) => Math.max(0, samples - 400) });
    begin(log, [10, 20]);
    appendMessages(log, 1);
    expect(kept(log)).toEqual([10, 20]);
  });

  it("does not gather over an hour of a stream", () => {
    const log = openLog(store, { runUpStart: (samples) => Math.max(0, samples - 3_000) });
    for (let at = 0; at < 3_600_000; at += 1_000) {
      begin(log, [at]);
      appendMessages(log, 10, 1);
    }
    expect(kept(log).length).toBeLessThanOrEqual(5);
  });
});

describe("a voice change", () => {
  it("is told once it has begun to be heard, and is sure to be kept by then", () => {
    const told: unknown[] = [];
    const log = openLog(store, {}, (at) => {
      told.push(at, openLog(store).end.changes, store.confirmed.at(-1));
    });
    appendMessages(log, 3);
    log.changeVoice(change(350, true));
    appendMessages(log, 1);
    expect(told).toEqual([change(350, true), [change(350, true)], true]);
    expect(store.rows).toHaveLength(1);
    appendMessages(log, 1);
    expect(told).toHaveLength(3);
  });

  it("at the end of what was heard waits for the first sound of the new voice", () => {
    const told: VoiceChange[] = [];
    const log = openLog(store, {}, (at) => void told.push(at));
    log.changeVoice(change(100));
    appendMessages(log, 1);
    expect([told.length, store.rows.length]).toEqual([0, 0]);
    appendMessages(log, 1);
    expect(told).toEqual([change(100)]);
  });

  it("that nothing was heard after is kept with the end", () => {
    const told: boolean[] = [];
    const log = openLog(store, {}, () => void told.push(openLog(store).end.ended !== undefined));
    appendMessages(log, 1);
    log.changeVoice(change(100));
    log.changeVoice(change(100, true));
    log.finish({ reason: "busy", message: "" });
    expect(told).toEqual([true, true]);
    expect(store.confirmed).toEqual([true]);
    expect(openLog(store).end.changes).toEqual([change(100), change(100, true)]);
  });

  it("is not forgotten by those that follow", () => {
    const log = openLog(store);
    for (let at = 0; at < 3; at++) {
      log.changeVoice(change(at * 100));
      appendMessages(log, 1);
    }
    expect(openLog(store).end.changes.map(({ pcmSample }) => pcmSample)).toEqual([0, 100, 200]);
  });

  it("is not told again by a log that is opened again", () => {
    const log = openLog(store);
    log.changeVoice(change(0));
    appendMessages(log, 1);
    const told: VoiceChange[] = [];
    const reopened = openLog(store, {}, (at) => void told.push(at));
    appendMessages(reopened, 1);
    reopened.finish();
    expect(told).toEqual([]);
  });
});
