/** A copy of an emscripten module's heap, with which a module that remembers starts from the same point each time. */

/** An emscripten module; its HEAPU8 is another array once its heap has grown. */
export interface HeapOwner {
  readonly HEAPU8: Uint8Array;
}

/**
 * A module's heap as it was when the snapshot was taken. Take and restore it outside every call into the module: its
 * stack pointer is no part of the heap.
 */
export class HeapSnapshot {
  readonly #owner: HeapOwner;
  /** Without the zeros at the end, which are most of a heap (of eSpeak's 17 MB all but 1.2). */
  readonly #bytes: Uint8Array;

  constructor(owner: HeapOwner) {
    this.#owner = owner;
    const heap = owner.HEAPU8;
    this.#bytes = heap.slice(0, heap.findLastIndex((byte) => byte !== 0) + 1);
  }

  /** Puts the heap back. A heap that has grown stays as large as it is: what it has more is zero, as freshly grown. */
  restore(): void {
    const heap = this.#owner.HEAPU8;
    heap.set(this.#bytes);
    heap.fill(0, this.#bytes.length);
  }
}
