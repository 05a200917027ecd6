/** The wait before the first new connection is at most this long, before each further one up to twice as long, ... */
const FIRST_WAIT_MS = 200;

/** ... but never longer: that makes 16 to 28 attempts in the gateway's 60 s of grace. */
const LONGEST_WAIT_MS = 5_000;

/** When to connect again, and when to give up. Pure: whoever uses it says what time it is. */
export class Retries {
  readonly #giveUpAfterMs: number;
  readonly #random: () => number;
  #waits = 0;
  #lostAtMs: number | undefined;

  /**
   * @param giveUpAfterMs how long attempts may go without progress; 0: there are none.
   * @param random from 0 to 1.
   */
  constructor(giveUpAfterMs: number, random: () => number) {
    this.#giveUpAfterMs = giveUpAfterMs;
    this.#random = random;
  }

  /** There was progress: the next loss is a first one again. */
  startOver(): void {
    this.#waits = 0;
    this.#lostAtMs = undefined;
  }

  /**
   * A connection was lost, or not to be had.
   * @returns how long to wait before the next attempt, in ms; undefined: give up.
   */
  lost(nowMs: number): number | undefined {
    this.#lostAtMs ??= nowMs;
    if (nowMs - this.#lostAtMs >= this.#giveUpAfterMs) return undefined;
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.#waits++, LONGEST_WAIT_MS);
    // Half of it at random, so that clients cut off together do not all come back together.
    return (longest / 2) * (1 + this.#random());
  }
}
