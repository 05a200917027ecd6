/** The bit rates that each format can have, and the one that it has when nothing else is asked. */
import type { AudioFormat } from "./formats.ts";

/** Bits per second. */
export interface BitrateRange {
  min: number;
  max: number;
  /** What speech gets when nothing else is asked. */
  default: number;
}

/** The bit rates of `format` at `hz`; undefined for a format that has none to choose. */
export function bitrateRange(format: AudioFormat, hz: number): BitrateRange | undefined {
  switch (format) {
    case "opus":
      // RFC 6716, section 2: from 6 kb/s; the ceiling is libopus's for one channel.
      return { min: 6_000, max: 256_000, default: hz <= 12_000 ? 16_000 : hz <= 16_000 ? 24_000 : 32_000 };
    case "mp3":
      // The tables of MPEG-2.5, MPEG-2 and MPEG-1; LAME takes the entry nearest to what is asked.
      if (hz <= 12_000) return { min: 8_000, max: 64_000, default: 32_000 };
      if (hz <= 24_000) return { min: 8_000, max: 160_000, default: hz <= 16_000 ? 48_000 : 64_000 };
      return { min: 32_000, max: 320_000, default: 96_000 };
    case "aac":
      // 6144 bits a frame of 1024 samples (ISO 14496-3); below `min` fdk-aac makes more than it is asked for (measured).
      return {
        min: hz <= 24_000 ? 8_000 : 16_000,
        max: 6 * hz,
        default: Math.min(64_000, 4_000 * Math.ceil(hz / 2_000)),
      };
    case "pcm16":
    case "wav":
    case "mulaw":
    case "alaw":
    case "flac":
      return undefined;
  }
}
