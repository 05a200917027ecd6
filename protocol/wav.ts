import { BYTES_PER_SAMPLE } from "./formats.ts";

/** A length that is not known while a stream is written; players then read to its end. */
const UNKNOWN_BYTES = 0xffffffff;

const ascii = (text: string) => new TextEncoder().encode(text);

/** Length of the header, in bytes. */
export const WAV_HEADER_BYTES = 44;

/** What stands before s16le mono in a WAV (RIFF) stream of unknown length. */
export function wavHeader(sampleRateHz: number): Uint8Array {
  const header = new Uint8Array(WAV_HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(ascii("RIFF"), 0);
  view.setUint32(4, UNKNOWN_BYTES, true);
  header.set(ascii("WAVEfmt "), 8);
  view.setUint32(16, 16, true); // bytes of "fmt "
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * BYTES_PER_SAMPLE, true);
  view.setUint16(32, BYTES_PER_SAMPLE, true);
  view.setUint16(34, 8 * BYTES_PER_SAMPLE, true);
  header.set(ascii("data"), 36);
  view.setUint32(40, UNKNOWN_BYTES, true);
  return header;
}

/** Says in a header that the WAV file it begins has `fileBytes` bytes: of a stream that turned out to be so long. */
export function setWavLength(header: Uint8Array, fileBytes: number): void {
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint32(4, fileBytes - 8, true); // what follows the field
  view.setUint32(40, fileBytes - WAV_HEADER_BYTES, true);
}
