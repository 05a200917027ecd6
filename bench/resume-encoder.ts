/**
 * What a lost encoder costs: `node bench/resume-encoder.ts`.
 *
 * CPU time of another one that goes on after an hour, until a second of audio is out, against encoding the hour again, as was
 * done before an encoder could go on in the middle.
 */
import { encodedRate, FORMATS, resumePoint, type AudioFormat } from "../protocol/formats.ts";
import { messageEnd } from "../protocol/message-size.ts";
import { parseSettings } from "../transcoder/query.ts";
import { StreamEncoder } from "../transcoder/stream-encoder.ts";
import { bytesOf } from "../test/transcoder/seam.ts";
import { glide } from "../test/transcoder/signal.ts";

const INPUT_HZ = 22_050;
const OUTPUT_HZ = 24_000;
const HOUR_S = 3_600;
const REPEATS = 20;
const CELT_TOC = 31 << 3;

const minute = bytesOf(glide(INPUT_HZ, 60));
const second = minute.subarray(0, INPUT_HZ * 2);

function open(format: AudioFormat, more: Record<string, number> = {}): StreamEncoder {
  const search = new URLSearchParams({ format, sample_rate: String(OUTPUT_HZ) });
  for (const [name, value] of Object.entries(more)) search.set(name, String(value));
  const encoder = new StreamEncoder(parseSettings(search));
  encoder.setInputRate(INPUT_HZ).forEach(() => {});
  return encoder;
}

/** CPU time in ms. */
function cost(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function encodeHour(format: AudioFormat): void {
  using encoder = open(format);
  for (let at = 0; at < HOUR_S; at += 60) encoder.push(minute).forEach(() => {});
}

function goOn(format: AudioFormat): void {
  const frameSamples = frames[format]!;
  const outputHz = encodedRate(format, OUTPUT_HZ);
  const outputSample = messageEnd(HOUR_S * outputHz, frameSamples, outputHz);
  const { inputSample } = resumePoint(format, OUTPUT_HZ, INPUT_HZ, outputSample);
  using encoder = open(format, { input_sample: inputSample, output_sample: outputSample, last_toc: CELT_TOC });
  let samples = 0;
  while (samples < outputHz) for (const piece of encoder.push(second)) samples += piece.samples;
}

const frames = Object.fromEntries(
  FORMATS.map((format) => {
    using encoder = open(format);
    return [format, encoder.frameSamples];
  }),
);

console.log(`${INPUT_HZ} Hz to ${OUTPUT_HZ} Hz, Node ${process.version}`);
console.table(
  Object.fromEntries(
    FORMATS.map((format) => {
      goOn(format); // warm
      const again = cost(() => {
        for (let repeat = 0; repeat < REPEATS; repeat++) goOn(format);
      });
      const hour = cost(() => encodeHour(format));
      const going = again / REPEATS;
      return [
        format,
        {
          "an hour, CPU ms": Math.round(hour),
          "going on, CPU ms": Number(going.toFixed(1)),
          "one in": Math.round(hour / going),
        },
      ];
    }),
  ),
);
