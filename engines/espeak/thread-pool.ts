/** Worker threads that turn tasks into streams of bytes, one task a thread at a time, first come first served. */
import { Worker } from "node:worker_threads";
import { PieceFlow } from "./piece-flow.ts";

/** A cancelled thread that reports nothing for so long is stuck in a step and is replaced, in ms. */
const STUCK_MS = 5_000;

/** Between two attempts to start a thread that dies before it is ready, in ms. */
const RESTART_MS = 1_000;

export interface JobMessage<Task> {
  task: Task;
  flow: PieceFlow["shared"];
}

/** What a thread says: once `ready`, then pieces of bytes and, after the last of each job, `done`. */
export type ThreadMessage<Ready> = { ready: Ready } | { done: true } | Uint8Array<ArrayBuffer>;

/** The thread that ran a job died under it. */
export class ThreadCrash extends Error {
  override name = "ThreadCrash";
}

interface Job<Task> {
  task: Task;
  signal: AbortSignal;
  flow: PieceFlow;
  onPiece: (bytes: Uint8Array<ArrayBuffer>, read: () => void) => void;
  settle: (crash?: ThreadCrash) => void;
}

interface Thread<Task> {
  worker: Worker;
  ready: boolean;
  job?: Job<Task> | undefined;
  stuck?: NodeJS.Timeout;
}

export class ThreadPool<Task, Ready> {
  /** What the first thread to be ready said of itself. */
  readonly ready: Promise<Ready>;
  /** Jobs handed to a thread so far. */
  started = 0;

  readonly #script: URL;
  readonly #onCrash: (message: string) => void;
  readonly #threads = new Set<Thread<Task>>();
  readonly #queue: Job<Task>[] = [];
  readonly #resolveReady: (ready: Ready) => void;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(script: URL, threads: number, onCrash: (message: string) => void) {
    this.#script = script;
    this.#onCrash = onCrash;
    const { promise, resolve } = Promise.withResolvers<Ready>();
    this.ready = promise;
    this.#resolveReady = resolve;
    for (let i = 0; i < threads; i++) this.#spawn();
  }

  get active(): number {
    return [...this.#threads].filter((thread) => thread.job).length;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Runs a task; `onPiece` gets its bytes as they are made, and says by `read` when they are out of its hands. Resolves
   * when the task is done, or has stopped because `signal` was aborted.
   * @throws ThreadCrash when its thread dies.
   */
  run(task: Task, signal: AbortSignal, onPiece: Job<Task>["onPiece"]): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = () => this.#cancel(job);
      const settle = (crash?: ThreadCrash) => {
        signal.removeEventListener("abort", abort);
        if (crash) reject(crash);
        else resolve();
      };
      const job: Job<Task> = { task, signal, flow: new PieceFlow(), onPiece, settle };
      signal.addEventListener("abort", abort);
      this.#queue.push(job);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (!thread.ready || thread.job) continue;
      const job = this.#queue.shift();
      if (!job) return;
      thread.job = job;
      this.started++;
      thread.worker.postMessage({ task: job.task, flow: job.flow.shared } satisfies JobMessage<Task>, []);
    }
  }

  #cancel(job: Job<Task>): void {
    const place = this.#queue.indexOf(job);
    if (place >= 0) {
      this.#queue.splice(place, 1);
      job.settle();
      return;
    }
    job.flow.cancel();
    for (const thread of this.#threads) {
      if (thread.job === job) thread.stuck = setTimeout(() => void thread.worker.terminate(), STUCK_MS);
    }
  }

  #spawn(): void {
    const worker = new Worker(this.#script);
    const thread: Thread<Task> = { worker, ready: false };
    this.#threads.add(thread);
    let cause = "it exited";
    worker.on("message", (message: ThreadMessage<Ready>) => this.#receive(thread, message));
    worker.on("error", (error) => {
      cause = String(error);
    });
    worker.once("exit", () => this.#replace(thread, cause));
  }

  #receive(thread: Thread<Task>, message: ThreadMessage<Ready>): void {
    const { job } = thread;
    if (message instanceof Uint8Array) {
      if (job && !job.signal.aborted) job.onPiece(message, () => job.flow.read(message.byteLength));
      return;
    }
    if ("ready" in message) {
      thread.ready = true;
      this.#resolveReady(message.ready);
    } else {
      clearTimeout(thread.stuck);
      thread.job = undefined;
      job?.settle();
    }
    this.#dispatch();
  }

  #replace(thread: Thread<Task>, cause: string): void {
    clearTimeout(thread.stuck);
    this.#threads.delete(thread);
    thread.job?.settle(new ThreadCrash(`the thread ended: ${cause}`));
    if (this.#closed) return;
    this.#onCrash(cause);
    if (thread.ready) this.#spawn();
    else this.#restart = setTimeout(() => this.#spawn(), RESTART_MS);
  }
}
