/** Holds a process, with all that it has started, to a share of a core for each of its threads: stopped and continued by turns. */
import { descendants } from "../../test/support/processes.ts";

/** One turn, in ms. */
const TURN_MS = 40;

export class Throttle {
  readonly #timers: (NodeJS.Timeout | undefined)[] = [];
  #pids: number[] = [];

  /** @param share of the time in which it runs, 0 to 1. */
  static async hold(pid: number, share: number): Promise<Throttle> {
    const throttle = new Throttle();
    throttle.#pids = [pid, ...(await descendants(pid)).map((child) => child.pid)];
    const turn = () => {
      throttle.#signal("SIGCONT");
      throttle.#timers[1] = setTimeout(() => throttle.#signal("SIGSTOP"), TURN_MS * share);
    };
    throttle.#timers[0] = setInterval(turn, TURN_MS);
    return throttle;
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // it has ended
      }
    }
  }

  release(): void {
    clearInterval(this.#timers[0]);
    clearTimeout(this.#timers[1]);
    this.#signal("SIGCONT");
  }
}
