import { beforeEach, describe, expect, it } from "vitest";
import { countingPcm } from "../bytes.ts";
import { counting, failure, Stream, TEXT } from "./lossy-stream.ts";

let stream: Stream;
beforeEach(() => {
  stream = new Stream();
});

describe("a take", () => {
  it("after one that was cut off goes on where that was, whatever pieces it comes in", async () => {
    await stream.take(23, 0);
    await stream.take(50, 0);
    await stream.segment(64, 0);
    await stream.segment(20, 64);
    expect(stream.samples).toEqual(counting(0, 84));
    expect(stream.log.counts).toMatchObject({ segments: 2, pcmSamples: 84 });
  });

  it("that is shorter than what was heard of it adds nothing", async () => {
    await stream.take(50, 0);
    await stream.segment(30, 0);
    await stream.segment(10, 50);
    expect(stream.samples).toEqual(counting(0, 60));
  });

  it("that is cut twice has each of its words once", async () => {
    const words: [number, number][] = [
      [0, 0],
      [4, 20],
      [8, 48],
      [12, 70],
    ];
    await stream.take(23, 0, words.slice(0, 2));
    await stream.take(50, 0, words.slice(0, 3));
    await stream.segment(80, 0, words);
    await stream.segment(20, 80, [[0, 3]]);
    expect(stream.words).toEqual([...words, [100, 83]]);
  });

  it("leaves no word whose audio did not come", async () => {
    await stream.take(0, 0, [
      [0, 0],
      [4, 20],
    ]);
    await stream.take(20, 0, [
      [0, 1],
      [4, 30],
    ]); // the second is told, and cut off before it is heard
    await stream.segment(40, 0, [
      [0, 1],
      [4, 25],
    ]);
    expect(stream.words).toEqual([
      [0, 1],
      [4, 25],
    ]);
  });

  it("has its words counted behind the segments before it", async () => {
    await stream.segment(40, 0, [[0, 0]]);
    await stream.segment(40, 40, [
      [0, 0],
      [5, 39],
    ]);
    expect(stream.words).toEqual([
      [0, 0],
      [100, 40],
      [105, 79],
    ]);
  });
});

describe("a track", () => {
  it("knows its segment, the segment's number, the last one, and whether something was heard", async () => {
    const { track } = stream;
    expect([track.segment, track.number, track.isLast, track.isUnderWay, track.isInSegment]).toEqual([
      TEXT[0],
      1,
      false,
      false,
      false,
    ]);
    await stream.take(5, 0);
    expect([track.isUnderWay, track.isInSegment]).toEqual([true, true]);
    await stream.track.endSegment();
    expect([track.segment, track.number, track.isInSegment]).toEqual([TEXT[1], 2, false]);
    for (const _ of [1, 2]) await stream.segment(5, 0);
    expect([track.number, track.isLast]).toEqual([4, true]);
    await stream.segment(5, 0);
    expect([track.segment, track.number]).toEqual([undefined, 5]);
  });
});

describe("where another voice goes on", () => {
  it("a segment without a sound is spoken by it, and one that was heard in part ends there", async () => {
    await stream.segment(30, 0);
    await stream.take(0, 0);
    await stream.track.changeVoice(failure);
    expect([stream.track.voice, stream.track.segment]).toEqual([1, TEXT[1]]);
    await stream.take(20, 30);
    await stream.track.changeVoice(failure);
    expect([stream.track.voice, stream.track.segment]).toEqual([2, TEXT[2]]);
    await stream.segment(50, 50);
    expect(stream.samples).toEqual(counting(0, 100));
    expect(stream.log.end.changes).toEqual([
      { failure, isCut: false, pcmSample: 30 },
      { failure, isCut: true, pcmSample: 50 },
    ]);
  });

  it("no word follows that the voice before it did not come to speak", async () => {
    await stream.take(21, 0, [
      [0, 0],
      [4, 25],
      [8, 45],
    ]);
    stream.track.word({ type: "word", start: 20, length: 1, sample: 60 });
    await stream.track.changeVoice(failure);
    await stream.segment(80, 21, [[0, 10]]);
    expect(stream.words).toEqual([
      [0, 0],
      [100, 31],
    ]);
  });

  it("no word follows that the voice before it said early, as engines may say all before the first sound", async () => {
    await stream.track.beginTake();
    for (const [start, sample] of [
      [0, 0],
      [4, 25],
      [8, 45],
    ] as const) {
      stream.track.word({ type: "word", start, length: 1, sample });
    }
    await stream.track.audio(countingPcm(21));
    await stream.track.changeVoice(failure);
    await stream.segment(80, 21, [[0, 10]]);
    expect(stream.words).toEqual([
      [0, 0],
      [100, 31],
    ]);
  });
});
