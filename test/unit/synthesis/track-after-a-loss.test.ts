import { beforeEach, describe, expect, it } from "vitest";
import { counting, failure, Stream } from "./lossy-stream.ts";

let stream: Stream;
beforeEach(() => {
  stream = new Stream();
});

/** Where each segment begins that the log still knows. */
const starts = ({ log }: Stream) => log.end.segments.map(({ textStart, pcmSample }) => [textStart, pcmSample]);

describe("a track that goes on after a loss", () => {
  it("begins at the run-up, in the segment that lies there, and skips what comes before it", async () => {
    await stream.segment(60, 0);
    await stream.take(120, 60);
    const next = stream.lost();
    expect([next.log.end.samples, next.start]).toEqual([180, 80]);
    expect([next.track.segment?.text, next.track.number, next.track.isInSegment]).toEqual(["two", 2, true]);
    await next.segment(150, 60);
    await next.segment(30, 210);
    expect(next.samples).toEqual(counting(80, 240));
    expect(next.log.counts.segments).toBe(3);
  });

  it("has no word twice, and none left out, whatever was written", async () => {
    const words: [number, number][] = [
      [0, 0],
      [4, 33],
      [8, 66],
      [12, 100],
      [16, 139],
      [20, 140],
      [24, 170],
    ];
    for (const heard of [5, 10, 60, 133, 140, 141, 150, 200]) {
      stream = new Stream();
      await stream.take(
        heard,
        0,
        words.filter(([, sample]) => sample < heard),
      );
      const next = stream.lost();
      await next.take(190, 0, words); // ... and the engine is cut off, and asked again
      await next.segment(200, 0, words);
      await next.segment(50, 200, [[0, 9]]);
      expect(next.words).toEqual([...words, [100, 209]]);
    }
  });

  it("after a second loss, goes on once more", async () => {
    await stream.take(150, 0);
    const second = stream.lost();
    await second.take(300, 0);
    const third = second.lost();
    await third.segment(400, 0);
    expect(third.samples).toEqual(counting(200, 400));
  });

  describe("where segments had begun in the run-up, has each begin there again", () => {
    const begun = async () => {
      await stream.segment(40, 0);
      await stream.segment(30, 40);
      await stream.take(20, 70); // heard up to 90: the run-up begins at 0
      expect(starts(stream)).toEqual([
        [0, 0],
        [100, 40],
        [200, 70],
      ]);
    };

    it("if its takes are as long as before", async () => {
      await begun();
      const next = stream.lost();
      await next.segment(40, 0);
      await next.segment(30, 40);
      await next.segment(50, 70);
      expect(next.samples).toEqual(counting(0, 120));
    });

    it("if they are shorter: silence fills them up", async () => {
      await begun();
      const next = stream.lost();
      await next.segment(35, 0);
      await next.segment(0, 0);
      await next.segment(50, 70);
      expect(next.samples).toEqual([...counting(0, 35), ...Array.from({ length: 35 }, () => 0), ...counting(70, 120)]);
      expect(starts(next.lost())).toEqual([
        [0, 0],
        [100, 40],
        [200, 70],
      ]);
    });

    it("if they are longer: what is too much is left out, and its words", async () => {
      await begun();
      const next = stream.lost();
      await next.segment(48, 0, [
        [0, 0],
        [4, 39],
        [8, 44],
      ]);
      await next.segment(90, 40, [
        [0, 29],
        [4, 31],
      ]);
      await next.segment(50, 70, [[0, 49]]);
      expect(next.samples).toEqual(counting(0, 120));
      expect(next.words).toEqual([
        [0, 0],
        [4, 39],
        [100, 69],
        [200, 119],
      ]);
    });
  });

  it("has a segment begin where it began, though one before it has no sound", async () => {
    await stream.segment(40, 0);
    await stream.segment(0, 0);
    await stream.take(30, 40);
    expect(starts(stream)).toEqual([
      [0, 0],
      [200, 40],
    ]);
    for (const samples of [33, 40, 47]) {
      const next = stream.lost();
      await next.segment(samples, 0);
      await next.segment(0, 0);
      await next.segment(60, 40);
      expect(next.samples.slice(40)).toEqual(counting(40, 100));
      expect(starts(next)[1]).toEqual([200, 40]);
    }
  });

  it("whose last segment is shorter than what was heard of it, is as long as that", async () => {
    for (let i = 0; i < 3; i++) await stream.segment(20, i * 20);
    await stream.take(200, 60);
    const next = stream.lost();
    await next.segment(130, 60);
    expect(next.track.segment).toBeUndefined();
    expect(next.end).toBe(260);
  });
});

describe("a voice change and a loss", () => {
  it("the voice before it is not asked again: its part of the run-up is silence", async () => {
    await stream.take(50, 0);
    await stream.track.changeVoice(failure);
    await stream.take(30, 50);
    const next = stream.lost();
    expect([next.start, next.track.voice, next.track.segment?.text]).toEqual([0, 1, "two"]);
    await next.segment(60, 50);
    expect(next.samples).toEqual([...Array.from({ length: 50 }, () => 0), ...counting(50, 110)]);
  });

  it("a voice that fails after the loss ends behind all that was heard, in silence, and was cut", async () => {
    await stream.segment(40, 0);
    await stream.take(50, 40);
    const next = stream.lost();
    await next.take(20, 0);
    await next.track.changeVoice(failure);
    expect(next.track.segment?.text).toBe("three");
    await next.segment(20, 90);
    expect(next.samples).toEqual([...counting(0, 20), ...Array.from({ length: 70 }, () => 0), ...counting(90, 110)]);
    expect(next.log.end.changes).toEqual([{ failure, isCut: true, pcmSample: 90 }]);
  });

  it("a voice that fails after the loss, before a sound, has the segment that was heard be cut too", async () => {
    await stream.take(50, 0);
    const next = stream.lost();
    expect(next.track.isInSegment).toBe(true);
    await next.track.beginTake();
    await next.track.changeVoice(failure);
    await next.segment(20, 50);
    expect(next.log.end.changes).toEqual([{ failure, isCut: true, pcmSample: 50 }]);
    expect(next.samples.slice(50)).toEqual(counting(50, 70));
  });

  it("a voice that fails where the text's last segment was heard in part is in the last segment", async () => {
    for (let i = 0; i < 3; i++) await stream.segment(20, i * 20);
    await stream.take(30, 60);
    const next = stream.lost();
    expect(next.track.segment?.text).toBe("one");
    expect([next.track.isLast, next.track.isInSegment]).toEqual([true, true]); // another voice would have nothing to speak
  });

  it("two changes in one run-up leave the last voice", async () => {
    await stream.take(20, 0);
    await stream.track.changeVoice(failure);
    await stream.take(20, 20);
    await stream.track.changeVoice(failure);
    await stream.take(20, 40);
    const next = stream.lost();
    expect([next.track.voice, next.track.segment?.text]).toEqual([2, "three"]);
    await next.segment(30, 40);
    expect(next.samples.slice(40)).toEqual(counting(40, 70));
  });
});
