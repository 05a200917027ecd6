/** How many calls started lately and how they ended, counted in buckets of time. */

/** A tenth of the window is forgotten at a time. */
const BUCKETS = 10;

export interface CallCounts {
  /** Calls that began, without those that ended as neither a success nor a failure. */
  started: number;
  succeeded: number;
  /** Calls that failed or were slow. */
  failed: number;
}

interface Bucket extends CallCounts {
  /** Which one since the epoch. */
  index: number;
}

export class SamplingWindow {
  readonly #bucketMs: number;
  #buckets: Bucket[] = [];

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add({ started, succeeded, failed }: CallCounts, nowMs: number): void {
    // When the clock is set back, counting goes on in the newest bucket.
    const index = Math.max(Math.floor(nowMs / this.#bucketMs), this.#buckets.at(-1)?.index ?? -Infinity);
    this.#buckets = this.#buckets.filter((bucket) => bucket.index > index - BUCKETS);
    if (this.#buckets.at(-1)?.index !== index) this.#buckets.push({ index, started: 0, succeeded: 0, failed: 0 });
    const bucket = this.#buckets.at(-1)!;
    bucket.started += started;
    bucket.succeeded += succeeded;
    bucket.failed += failed;
  }

  /** The counts of the window that ended when something was last added. */
  get sums(): CallCounts {
    const sums = { started: 0, succeeded: 0, failed: 0 };
    for (const { started, succeeded, failed } of this.#buckets) {
      sums.started += started;
      sums.succeeded += succeeded;
      sums.failed += failed;
    }
    return sums;
  }

  clear(): void {
    this.#buckets = [];
  }
}
