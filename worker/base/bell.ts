/** Wakes whoever waits for something to have changed. */
export class Bell {
  /** Made for the first who waits. */
  #next: PromiseWithResolvers<void> | undefined;

  ring(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }

  /**
   * Waits for the next ring, at most `ms` if given; may wake early, so look again at what was waited for.
   * @param signal its listener costs as much as the wait: without one whoever gives up waiting rings.
   * @throws the signal's reason.
   */
  async next(signal?: AbortSignal, ms?: number): Promise<void> {
    signal?.throwIfAborted();
    const wake = () => this.ring();
    const timer = ms === undefined ? undefined : setTimeout(wake, ms);
    signal?.addEventListener("abort", wake, { once: true });
    this.#next ??= Promise.withResolvers<void>();
    await this.#next.promise;
    signal?.removeEventListener("abort", wake);
    if (timer !== undefined) clearTimeout(timer);
    signal?.throwIfAborted();
  }

  /**
   * Waits until `isTrue`, asking again at every ring.
   * @throws the signal's reason.
   */
  async until(isTrue: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!isTrue()) await this.next(signal);
  }
}
