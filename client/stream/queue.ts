/** Values in order, for one reader that takes them when it likes. */
export class Queue<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #wake = Promise.withResolvers<void>();
  #isEnded = false;

  push(value: T): void {
    this.#values.push(value);
    this.#wake.resolve();
  }

  /** No more will come; what is there can still be read. */
  end(): void {
    this.#isEnded = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift()!;
      if (this.#isEnded) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}
