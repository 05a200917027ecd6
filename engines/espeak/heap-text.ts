/** A text where eSpeak reads it: in its heap, until that is restored. */
import type { EspeakModule } from "@echogarden/espeak-ng-emscripten";

/**
 * The package would copy a string into a buffer whose address it keeps outside the heap: grown for a long text, that
 * buffer would lie in memory that a restored heap takes for free.
 */
export function heapText(module: EspeakModule, text: string): { ptr: number } {
  const bytes = new TextEncoder().encode(`${text}\0`);
  const { _malloc: allocate } = module;
  const ptr = allocate(bytes.length);
  module.HEAPU8.set(bytes, ptr); // looked up now: allocating may have grown the heap
  return { ptr };
}
