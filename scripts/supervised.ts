/** A process that is kept running: started again when it dies, hangs or, if that is wanted, when its source changes. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How often a part is asked whether it is well, and how often it may fail to say so before it is started again. */
const PROBE_MS = 500;
const PROBES_MISSED = 5;

/** How often it may fail to before it was ever well. */
const PROBES_AT_START = 120;

/** First pause before a part that died is started again; doubled up to the longest while it keeps dying. */
const RESTART_MS = { first: 250, longest: 5_000 } as const;

/** How long a part may take to stop before it is killed. */
const STOP_MS = 5_000;

/** What wrangler says when its workerd was killed. It would start it again, but takes half a minute now and then. */
const WRANGLER_CRASH = "The Workers runtime crashed unexpectedly";

/** What wrangler says of every request (the gateway's own line says more), and of containers, which are not used here. */
const WRANGLER_NOISE =
  /^\[wrangler:info\] |^env\.\w+_CONTAINERS |^The following containers are available:|^- .*\/Dockerfile\)$/;

export interface Part {
  name: string;
  args: string[];
  env: Record<string, string>;
  /** Answers 200 once the part is ready. */
  probeUrl: string;
  /** A change of TypeScript in these folders starts it anew. */
  watched: readonly string[];
}

function say(name: string, text: string): void {
  console.log(`[${name}] ${text}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Signals a part with everything it has started itself. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid!, signal);
  } catch {
    // it has gone already
  }
}

function isGroupAlive({ pid }: ChildProcess): boolean {
  try {
    return process.kill(-pid!, 0);
  } catch {
    return false;
  }
}

async function stopGroup(child: ChildProcess): Promise<void> {
  signalGroup(child, "SIGTERM");
  if (child.exitCode === null && child.signalCode === null) {
    await Promise.race([once(child, "exit"), sleep(STOP_MS)]);
  }
  signalGroup(child, "SIGKILL"); // also what outlived its parent
  for (const end = Date.now() + STOP_MS; isGroupAlive(child) && Date.now() < end;) await sleep(10);
}

/** Resolves with what has changed, once something has. */
function changeIn(folders: readonly string[], signal: AbortSignal): Promise<string> {
  const changes = folders.map(async (folder) => {
    for await (const { filename } of watch(folder, { recursive: true, signal })) {
      if (filename?.endsWith(".ts")) return `${folder}/${filename} has changed`;
    }
    throw signal.reason;
  });
  return Promise.race(changes);
}

/** A part that is kept running, on the same port, until it is stopped. */
export class Supervised {
  readonly #part: Part;
  #child: ChildProcess | undefined;
  #isStopped = false;

  constructor(part: Part) {
    this.#part = part;
    void this.#keepRunning();
  }

  async #keepRunning(): Promise<void> {
    const { name } = this.#part;
    let pauseMs: number = RESTART_MS.first;
    for (let isAgain = false; !this.#isStopped; isAgain = true) {
      const startedAt = Date.now();
      const why = await this.#runOnce(isAgain);
      if (this.#isStopped) return;
      if (Date.now() - startedAt > RESTART_MS.longest) pauseMs = RESTART_MS.first;
      say(name, `${why}; starting it again`);
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, RESTART_MS.longest);
    }
  }

  /** @returns why it ended. */
  async #runOnce(isAgain: boolean): Promise<string> {
    const { name, args, env } = this.#part;
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a process group of its own, so that all of it can be stopped
    });
    this.#child = child;
    const crashed = Promise.withResolvers<void>();
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on("line", (line) => {
        if (line.trim() && !WRANGLER_NOISE.test(line)) say(name, line);
        if (line.includes(WRANGLER_CRASH)) crashed.resolve();
      });
    }
    const startedAt = performance.now();
    const ended = new AbortController();
    const onWell = () => {
      if (isAgain) say(name, `is back after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    };
    const exit = once(child, "exit").then(([code, signal]) => `died (${signal ?? `exit code ${code}`})`);
    const crash = crashed.promise.then(() => "crashed");
    const silent = this.#missesProbes(ended.signal, onWell).then(() => "does not answer any more");
    const changed = changeIn(this.#part.watched, ended.signal);
    const why = await Promise.race([exit, silent, crash, changed]);
    ended.abort();
    await stopGroup(child);
    return why;
  }

  /**
   * Resolves when the part has not been well for a while.
   * @param onWell called once, when it is well for the first time.
   */
  async #missesProbes(ended: AbortSignal, onWell: () => void): Promise<void> {
    let left = PROBES_AT_START;
    let wasWell = false;
    while (!ended.aborted && left > 0) {
      await sleep(PROBE_MS);
      const isWell = await answers(this.#part.probeUrl);
      left = isWell ? PROBES_MISSED : left - 1;
      if (isWell && !wasWell && !ended.aborted) onWell();
      wasWell ||= isWell;
    }
  }

  async ready(): Promise<void> {
    while (!this.#isStopped && !(await answers(this.#part.probeUrl))) await sleep(100);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#child) await stopGroup(this.#child);
  }
}
