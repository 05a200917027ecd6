/** Small helpers for bytes and streams of them. */

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** `bytes` in pieces, cut at `cuts` (taken modulo the length; in any order, repeated ones give empty pieces). */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.slice(start, at[i] ?? bytes.length));
}

// oxlint-disable-next-line require-await -- a source whose items are all there
export async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void> {
  yield* items;
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

export function samplesOf(pcm: Uint8Array): Int16Array {
  return new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.byteLength));
}

/** PCM whose every sample says where it stands. */
export function countingPcm(samples: number, from = 0): Uint8Array {
  return new Uint8Array(Int16Array.from({ length: samples }, (_, i) => from + i).buffer);
}
