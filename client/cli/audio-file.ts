/** The files that npm run speak writes. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { FORMAT_TRAITS, type AudioFormat } from "../../protocol/formats.ts";
import { setWavLength, WAV_HEADER_BYTES } from "../../protocol/wav.ts";

/** Other endings that files of a format have. The Opus here is in an Ogg stream, the AAC in an ADTS stream (no .m4a). */
const OTHER_ENDINGS: Partial<Record<AudioFormat, string[]>> = {
  opus: ["ogg", "oga"],
  mulaw: ["mulaw", "ul"],
  alaw: ["al"],
  pcm16: ["pcm16", "raw", "s16"],
  wav: ["wave"],
  aac: ["adts"],
};

/** The endings of a file's name that mean this format, the usual one first. */
export function endingsOf(format: AudioFormat): string[] {
  return [FORMAT_TRAITS[format].extension, ...(OTHER_ENDINGS[format] ?? [])];
}

/** A file that can be written to, or the error that says why not. */
export async function openFile(path: string): Promise<WriteStream> {
  const file = createWriteStream(path);
  await once(file, "open");
  return file;
}

/** Puts its true length into a WAV file, which the stream could not know; a pipe or a device keeps none. */
export async function tellLength(path: string): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) return;
  await using file = await open(path, "r+");
  const header = new Uint8Array(WAV_HEADER_BYTES);
  await file.read(header, 0, header.length, 0);
  setWavLength(header, stats.size);
  await file.write(header, 0, header.length, 0);
}
