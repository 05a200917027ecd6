/**
 * npm start: the whole gateway on this machine, without Docker: transcoder, eSpeak engine and `wrangler dev`, each
 * started again when it dies.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseConfig, SETTING_NAMES } from "../worker/config/settings.ts";

const HELP = `Starts the gateway on this machine: transcoder, eSpeak engine and wrangler dev.

  PORT         where the gateway listens; default 8787
  STATE_DIR    where sessions are kept; default .wrangler/state
  COQUI_URL    a Coqui engine to use as well, such as http://localhost:8792
  Every setting of the gateway (docs/operations.md) can be given as an environment variable too.
`;

/** How often a part is asked whether it is well, and how often it may fail to say so before it is started again. */
const PROBE_MS = 500;
const PROBES_MISSED = 5;

/** How often it may fail to before it was ever well. */
const PROBES_AT_START = 120;

/** First pause before a part that died is started again; doubled up to the longest while it keeps dying. */
const RESTART_MS = { first: 250, longest: 5_000 } as const;

/** How often it is looked whether npm is still there. */
const PARENT_MS = 500;

/** How long a part may take to stop before it is killed. */
const STOP_MS = 5_000;

/** What wrangler says when its workerd was killed. It would start it again, but takes half a minute now and then. */
const WRANGLER_CRASH = "The Workers runtime crashed unexpectedly";

/** What wrangler says of every request; the gateway's own line says more. */
const WRANGLER_REQUEST_LINE = "[wrangler:info] ";

interface Part {
  name: string;
  args: string[];
  env: Record<string, string>;
  /** Answers 200 once the part is ready. */
  probeUrl: string;
}

let isStopping = false;

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

/** A part that is kept running, on the same port, until it is stopped. */
class Supervised {
  readonly #part: Part;
  #child: ChildProcess | undefined;

  constructor(part: Part) {
    this.#part = part;
    void this.#keepRunning();
  }

  async #keepRunning(): Promise<void> {
    const { name } = this.#part;
    let pauseMs: number = RESTART_MS.first;
    for (let isAgain = false; !isStopping; isAgain = true) {
      const startedAt = Date.now();
      const why = await this.#runOnce(isAgain);
      if (isStopping) return;
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
        if (line.trim() && !line.startsWith(WRANGLER_REQUEST_LINE)) say(name, line);
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
    const why = await Promise.race([exit, silent, crash]);
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
    while (!isStopping && !(await answers(this.#part.probeUrl))) await sleep(100);
  }

  async stop(): Promise<void> {
    if (this.#child) await stopGroup(this.#child);
  }
}

/** Whether a port can be listened on; 0 finds a free one. */
async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  const error = await Promise.race([once(server, "listening").then(() => undefined), once(server, "error")]);
  if (error) return undefined;
  const address = server.address();
  server.close();
  return typeof address === "object" ? address?.port : undefined;
}

async function freePort(): Promise<number> {
  return (await tryPort(0))!;
}

function service(name: string, file: string, port: number): Part {
  return {
    name,
    args: [file],
    env: { PORT: String(port), HOST: "127.0.0.1" },
    probeUrl: `http://127.0.0.1:${port}/readyz`,
  };
}

function gateway(port: number, variables: Record<string, string>): Part {
  const vars = Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  return {
    name: "gateway",
    args: [
      "node_modules/wrangler/bin/wrangler.js",
      "dev",
      `--port=${port}`,
      "--inspector-port=0",
      "--enable-containers=false",
      "--show-interactive-dev-session=false",
      ...(process.env.STATE_DIR ? [`--persist-to=${process.env.STATE_DIR}`] : []),
      ...vars,
    ],
    // Nothing is asked of the Internet: no usage report, no sample of a real request's origin.
    env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", NO_COLOR: "1" },
    probeUrl: `http://127.0.0.1:${port}/healthz`,
  };
}

async function main(): Promise<void> {
  if (process.argv.includes("--help")) return void process.stdout.write(HELP);
  const port = Number(process.env.PORT ?? 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`PORT=${process.env.PORT} is no port`);
  if (!(await tryPort(port))) throw new Error(`port ${port} is in use; choose another: PORT=${port + 1} npm start`);

  parseConfig(process.env); // what is wrong in it is said here, once
  const settings = Object.fromEntries(
    SETTING_NAMES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );

  const transcoderPort = await freePort();
  const espeakPort = await freePort();
  const parts = [
    new Supervised(service("transcoder", "transcoder/main.ts", transcoderPort)),
    new Supervised(service("espeak", "engines/espeak/main.ts", espeakPort)),
  ];
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    console.log("\nstopping");
    await Promise.all(parts.map((part) => part.stop()));
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop());
  // npm hands a signal to the shell between us, which may die of it without a word: then we have another parent.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === "start") {
    setInterval(() => process.ppid !== parent && void stop(), PARENT_MS).unref();
  }

  await Promise.all(parts.map((part) => part.ready()));
  const wrangler = gateway(port, {
    CONTAINERS: "off",
    TRANSCODER_URL: `http://127.0.0.1:${transcoderPort}`,
    ESPEAK_URL: `http://127.0.0.1:${espeakPort}`,
    ...settings,
  });
  parts.push(new Supervised(wrangler));
  await parts.at(-1)!.ready();
  if (isStopping) return;
  console.log(`
tts-gateway listens on http://localhost:${port}. In another terminal:

  ${port === 8787 ? "" : `GATEWAY_URL=http://localhost:${port} `}npm run speak -- "Hello there" --voice en-us -o hello.mp3
  curl http://localhost:${port}/v1/voices

Ctrl-C stops it.
`);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
