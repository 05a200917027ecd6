import type { AudioFormat } from "../../protocol/formats.ts";
import { decode, type Decoded } from "../transcoder/decode.ts";

/** The frames of an ADTS stream, by the 13 bits of length in each header (ISO 13818-7). */
function adtsFrames(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xf0) !== 0xf0) throw new Error(`no ADTS frame at byte ${at}`);
    const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}

/** Decodes what a client received; `sampleRateHz` is for formats that do not say it themselves. */
export function decodeStream(format: AudioFormat, bytes: Uint8Array, sampleRateHz: number): Promise<Decoded> {
  const pieces = format === "aac" ? adtsFrames(bytes) : [bytes];
  const audio = pieces.map((data) => ({ type: "audio" as const, samples: 0, data }));
  return decode(format, { format: { type: "format", sample_rate: sampleRateHz }, audio, bytes, events: [] } as never);
}
