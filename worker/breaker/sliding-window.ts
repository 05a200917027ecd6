/** How many calls were made of late and how they ended, counted in buckets of time. */

/** A tenth of the window is forgotten at a time. */
const BUCKETS = 10;

export interface Counts {
  /** Less those that ended neither way. */
  begun: number;
  good: number;
  bad: number;
}

interface Bucket extends Counts {
  /** Which one since the epoch. */
  index: number;
}

export class SlidingWindow {
  readonly #bucketMs: number;
  #buckets: Bucket[] = [];

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add({ begun, good, bad }: Counts, nowMs: number): void {
    // A clock that was set back counts on where it was.
    const index = Math.max(Math.floor(nowMs / this.#bucketMs), this.#buckets.at(-1)?.index ?? -Infinity);
    this.#buckets = this.#buckets.filter((bucket) => bucket.index > index - BUCKETS);
    if (this.#buckets.at(-1)?.index !== index) this.#buckets.push({ index, begun: 0, good: 0, bad: 0 });
    const bucket = this.#buckets.at(-1)!;
    bucket.begun += begun;
    bucket.good += good;
    bucket.bad += bad;
  }

  /** What was counted within the window when it was last added to. */
  get sums(): Counts {
    const sums = { begun: 0, good: 0, bad: 0 };
    for (const { begun, good, bad } of this.#buckets) {
      sums.begun += begun;
      sums.good += good;
      sums.bad += bad;
    }
    return sums;
  }

  clear(): void {
    this.#buckets = [];
  }
}
