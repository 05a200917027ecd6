/** Aborts when what somebody waits for does not come in time; while nobody waits, no time passes. */
export class Watchdog {
  readonly #controller = new AbortController();
  #deadline = Number.POSITIVE_INFINITY;
  #withinMs = 0;
  #error: (() => Error) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  readonly #isOwed: () => boolean;
  #wasOwed = true;

  /** @param isOwed whether anything is owed: only what was owed for the whole time is too late. */
  constructor(isOwed: () => boolean = () => true) {
    this.#isOwed = isOwed;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on somebody waits; after `withinMs` the signal aborts with `error`. */
  expect(withinMs: number, error: () => Error): void {
    this.#error = error;
    this.#wasOwed = this.#isOwed();
    this.#withinMs = withinMs;
    this.#deadline = Date.now() + withinMs;
    // Told with every piece of a stream: a timer that wakes too early is left as it is, and looks again then.
    if (this.#deadline < this.#wakesAt) this.#arm();
  }

  /** Nobody waits any more. */
  rest(): void {
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  /** It is needed no more. */
  stop(): void {
    this.rest();
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#wakesAt = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#wakesAt = this.#deadline;
    this.#timer = setTimeout(() => this.#look(), this.#deadline - Date.now());
  }

  #look(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    if (this.#deadline === Number.POSITIVE_INFINITY) return;
    const wasOwed = this.#wasOwed;
    this.#wasOwed = this.#isOwed();
    if (!wasOwed || !this.#wasOwed) this.#deadline = Math.max(this.#deadline, Date.now() + this.#withinMs);
    if (Date.now() < this.#deadline) this.#arm();
    else this.#controller.abort(this.#error?.());
  }
}
