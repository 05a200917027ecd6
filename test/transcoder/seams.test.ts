/**
 * Another encoder goes on in the middle, at random places in speech, a sweep and a tone: `SEAMS=200` for as many a format.
 *
 * The measure of a lossy format: how far the level is from what went in, around the seam, against the same of the stream that
 * was never cut, at the same place and at random ones (the control: what all but one of 100 of them stay under).
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEspeak } from "../../engines/espeak/server.ts";
import { isRateAllowed, type AudioFormat } from "../../protocol/formats.ts";
import { speak, untilReady } from "../engines/speech.ts";
import { between, pick, seeded } from "../support/random.ts";
import { report } from "../support/report.ts";
import { borders, encode, goOn, hear, join, resample, type Source } from "./seam.ts";
import { sweep, tone } from "./signal.ts";

const SEAMS = Number(process.env.SEAMS ?? 10);
const CONTROLS = 100;

const RATES = [
  [22_050, 22_050],
  [22_050, 24_000],
  [22_050, 8_000],
  [22_050, 48_000],
  [22_050, 11_111],
  [16_000, 24_000],
  [24_000, 24_000],
] as const;
const SIGNALS = ["speech", "sweep", "tone"] as const;
const CASES = RATES.flatMap((rates) => SIGNALS.map((signal) => ({ rates, signal })));

const TEXT =
  "The quick brown fox jumps over the lazy dog, and then it goes home to sleep. She sells sea shells on the sea shore! " +
  "How many of them were sold last Thursday, and to whom? Peter Piper picked a peck of pickled peppers.";
let speech: { pcm: Int16Array; sampleRate: number };
beforeAll(async () => {
  const engine = await startEspeak({ port: 0, host: "127.0.0.1", threads: 1, queueLimit: 8 });
  await untilReady(engine.url);
  speech = await speak(engine.url, { voice: "en-us", text: TEXT });
  await engine.close(0);
});

const lines: string[] = [];
afterAll(() => lines.forEach(report));

function source(format: AudioFormat, [fromHz, wantedHz]: (typeof RATES)[number], signal: string): Source {
  const toHz = isRateAllowed(format, wantedHz) ? wantedHz : 11_025;
  if (signal === "speech") return { format, fromHz, toHz, pcm: resample(speech.pcm, speech.sampleRate, fromHz) };
  if (signal === "tone") return { format, fromHz, toHz, pcm: tone(440, fromHz, 8) };
  return { format, fromHz, toHz, pcm: sweep(0.42 * Math.min(fromHz, toHz), fromHz, 10) };
}

/** The value that a part of all do not exceed. */
function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(part * values.length) - 1]!;
}

/** Cases in turn, spread by a step that meets them all. */
function casesOf(seams: number) {
  return Array.from({ length: seams }, (_, index) => CASES[(index * 5) % CASES.length]!);
}

describe.each(["pcm16", "wav", "mulaw", "alaw", "flac"] as const)("%s", (format) => {
  it(`is the same to the byte as the stream that was never cut, at ${SEAMS} seams`, { timeout: 600_000 }, () => {
    const random = seeded(9);
    for (const { rates, signal } of casesOf(SEAMS)) {
      const stream = source(format, rates, signal);
      const uncut = encode(stream);
      const border = pick(random, borders(uncut));
      const whole = join(uncut, border, goOn(stream, uncut, border));
      expect(whole.audio.length).toBe(uncut.audio.length);
      expect(Buffer.compare(whole.bytes, uncut.bytes), `${rates.join(" to ")}, ${signal}, at ${border}`).toBe(0);
    }
    lines.push(`${format.padEnd(6)} ${SEAMS} seams, every byte equal`);
  });
});

describe.each(["opus", "mp3", "aac"] as const)("%s", (format) => {
  it(`cannot be told from the stream that was never cut, at ${SEAMS} seams`, { timeout: 3_600_000 }, async () => {
    const random = seeded(9);
    const excess = { level: [] as number[], at8kHz: [0], jump: [] as number[] };
    for (const [index, { rates, signal }] of CASES.entries()) {
      const seams = casesOf(SEAMS).filter((one) => one === CASES[index]).length;
      if (seams === 0) continue;
      const stream = source(format, rates, signal);
      const uncut = encode(stream);
      const { decoded, heard: control, placeOf } = await hear(stream, uncut);
      const end = decoded.samples.length - decoded.sampleRateHz / 5;
      const places = Array.from({ length: CONTROLS }, () => between(random, 0, end));
      const level = quantile(
        places.map((at) => control.levelError(at)),
        0.99,
      );
      const jump = quantile(
        places.map((at) => control.jump(at)),
        0.99,
      );
      for (let seam = 0; seam < seams; seam++) {
        const border = pick(random, borders(uncut));
        const whole = join(uncut, border, goOn(stream, uncut, border));
        const { decoded: again, heard } = await hear(stream, whole);
        expect(whole.samples).toBe(uncut.samples);
        expect(again.samples.length).toBe(decoded.samples.length);
        const at = placeOf(border);
        const beyond = heard.levelError(at) - Math.max(level, control.levelError(at));
        (stream.toHz === 8_000 ? excess.at8kHz : excess.level).push(beyond);
        excess.jump.push(heard.jump(at) / Math.max(jump, control.jump(at)));
      }
    }
    const levels = [...excess.level, ...excess.at8kHz.slice(1)];
    const figures = {
      level99: quantile(levels, 0.99),
      levelMax: Math.max(...excess.level),
      at8kHz: Math.max(...excess.at8kHz),
      jump99: quantile(excess.jump, 0.99),
    };
    lines.push(
      `${format.padEnd(6)} ${SEAMS} seams, beyond the controls: level p99 ${figures.level99.toFixed(2)} dB, ` +
        `max ${figures.levelMax.toFixed(2)} dB, at 8 kHz ${figures.at8kHz.toFixed(2)} dB; jump p99 × ${figures.jump99.toFixed(2)}`,
    );
    expect(figures.level99).toBeLessThan(1);
    expect(figures.levelMax).toBeLessThan(3);
    expect(figures.at8kHz).toBeLessThan(format === "opus" ? 5 : 3);
    expect(figures.jump99).toBeLessThan(1.1);
  });
});
