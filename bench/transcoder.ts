/**
 * What transcoding costs: `node bench/transcoder.ts`.
 *
 * Speed is audio per CPU second of one core, for the encoder alone, fed with pieces as a live engine gives them and with
 * large ones; latency is the audio an encoder needs, and the time it takes, until its first sound is out.
 */
import { execFileSync } from "node:child_process";
import { FORMATS, isAudioFormat, type AudioFormat } from "../protocol/formats.ts";
import { parseSettings } from "../transcoder/query.ts";
import { StreamEncoder } from "../transcoder/stream-encoder.ts";

const INPUT_HZ = 22_050;
const OUTPUT_HZ = 24_000;
const SECONDS = 60;
const OPEN = 50;

/** Voiced and unvoiced by turns, so that no codec has it too easy. */
const speech = new Uint8Array(
  Int16Array.from({ length: INPUT_HZ * SECONDS }, (_, index) => {
    const time = index / INPUT_HZ;
    const voiced = [1, 2, 3, 5, 8].reduce((sum, harmonic) => sum + Math.sin(harmonic * 880 * time) / harmonic, 0);
    const loudness = Math.max(0, Math.sin(9 * time));
    return 6_000 * loudness * voiced + 2_000 * (1 - loudness) * (Math.random() * 2 - 1);
  }).buffer,
);

function open(format: AudioFormat, inputHz = INPUT_HZ): StreamEncoder {
  const encoder = new StreamEncoder(parseSettings(new URLSearchParams({ format, sample_rate: String(OUTPUT_HZ) })));
  encoder.setInputRate(inputHz).toArray();
  return encoder;
}

function pieces(milliseconds: number): Uint8Array[] {
  const bytes = Math.floor((INPUT_HZ * milliseconds) / 1000) * 2;
  return Array.from({ length: Math.ceil(speech.length / bytes) }, (_, at) =>
    speech.subarray(at * bytes, (at + 1) * bytes),
  );
}

/** Seconds of audio encoded in a CPU second. */
function speed(format: AudioFormat, pieceMs: number): number {
  using encoder = open(format);
  const before = process.cpuUsage();
  for (const piece of pieces(pieceMs)) encoder.push(piece).forEach(() => {});
  encoder.finish().forEach(() => {});
  const { user, system } = process.cpuUsage(before);
  return (SECONDS * 1e6) / (user + system);
}

/** Audio fed in ms, and time passed in ms from opening the encoder, when its first sound is out. */
function firstSound(format: AudioFormat): { fedMs: number; tookMs: number } {
  const fed = pieces(1).slice(0, 500);
  const started = performance.now();
  using encoder = open(format);
  const fedMs = 1 + fed.findIndex((piece) => encoder.push(piece).some(() => true));
  return { fedMs, tookMs: performance.now() - started };
}

/** Memory of an open encoder in kB; for a process of its own, where nothing freed before is used again. */
function kilobytesEach(format: AudioFormat): number {
  const before = process.memoryUsage().rss;
  const encoders = Array.from({ length: OPEN }, () => {
    const encoder = open(format);
    encoder.push(speech.subarray(0, INPUT_HZ)).forEach(() => {}); // half a second: memory counts when it is used
    return encoder;
  });
  const grown = process.memoryUsage().rss - before;
  for (const encoder of encoders) encoder[Symbol.dispose]();
  return Math.round(grown / OPEN / 1000);
}

const [only] = process.argv.slice(2);
if (isAudioFormat(only)) {
  console.log(kilobytesEach(only));
  process.exit();
}

console.log(`${INPUT_HZ} Hz to ${OUTPUT_HZ} Hz, ${SECONDS} s, Node ${process.version}`);
console.table(
  Object.fromEntries(
    FORMATS.map((format) => {
      speed(format, 100); // warm
      const live = speed(format, 20);
      const large = speed(format, 5_000);
      const { fedMs, tookMs } = firstSound(format);
      return [
        format,
        {
          "s/CPU s, 20 ms pieces": Math.round(live),
          "s/CPU s, 5 s pieces": Math.round(large),
          ratio: Number((large / live).toFixed(2)),
          "first sound after ms of audio": fedMs,
          "... and ms of time": Number(tookMs.toFixed(2)),
          "kB each": Number(execFileSync(process.execPath, [import.meta.filename, format]).toString()),
        },
      ];
    }),
  ),
);
