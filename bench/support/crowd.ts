/** Many listeners at once, in a process of their own, so that the machine's account of it tells what they cost. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface CrowdOptions {
  /** One address for each listener. */
  wsUrls: string[];
  /** Over how many ms their connections are spread. */
  spreadMs: number;
}

/** What all listeners together have heard so far. */
export interface Progress {
  audioMs: number;
  messages: number;
  connected: number;
}

export interface CrowdResult {
  /** Of every message but the first of a stream, in ms, sorted: how much later than that one it came than it should. */
  lateness: number[];
  /** Streams that did not end with `eos`, by what they ended with. */
  failed: Record<string, number>;
  /** How late the process's own timers were, in ms. */
  loopDelayMs: { p99: number; max: number };
}

export type CrowdMessage = { type: "progress"; progress: Progress } | { type: "result"; result: CrowdResult };

export class Crowd {
  readonly result: Promise<CrowdResult>;
  readonly #child: ChildProcess;

  constructor(options: CrowdOptions) {
    const program = fileURLToPath(new URL("crowd-process.ts", import.meta.url));
    this.#child = fork(program, { serialization: "advanced" });
    this.#child.send(options);
    this.result = this.#next("result").then(({ result }) => {
      this.#child.disconnect();
      return result;
    });
    this.result.catch(() => {}); // whoever awaits it, later, is told
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async progress(): Promise<Progress> {
    const answer = this.#next("progress");
    this.#child.send("progress");
    return (await answer).progress;
  }

  #next<T extends CrowdMessage["type"]>(type: T): Promise<Extract<CrowdMessage, { type: T }>> {
    return new Promise((resolve, reject) => {
      const hear = (message: CrowdMessage) => {
        if (message.type !== type) return;
        this.#child.off("message", hear);
        resolve(message as Extract<CrowdMessage, { type: T }>);
      };
      this.#child.on("message", hear);
      this.#child.once("exit", (code) => reject(new Error(`the listeners' process ended with code ${code}`)));
    });
  }
}
