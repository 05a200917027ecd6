/** The whole product as `npm start` runs it: every part is started again when it dies. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./gateway.ts";

export interface SupervisedGateway {
  url: string;
  transcoderUrl: string;
  espeakUrl: string;
  supervisor: ChildProcess;
  /** What it said so far. */
  lines: string[];
  /** Waits until everything is well, upstreams that it did not start itself included. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

const START_MS = 60_000;

/**
 * @param env settings of the gateway.
 * @param options what `npm start` is given on its command line.
 */
export async function startSupervised(
  env: Record<string, string> = {},
  options: string[] = [],
): Promise<SupervisedGateway> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const state = await mkdtemp(join(tmpdir(), "tts-gateway-"));
  const supervisor = spawn(process.execPath, ["scripts/start.ts", ...options], {
    cwd: root,
    env: { ...process.env, PORT: String(port), STATE_DIR: state, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [supervisor.stdout, supervisor.stderr]) {
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  }
  const ready = async () => {
    for (const end = Date.now() + START_MS; !(await fetch(`${url}/readyz`).catch(() => undefined))?.ok;) {
      if (Date.now() > end) throw new Error(`not ready within ${START_MS} ms:\n${lines.slice(-20).join("\n")}`);
      await sleep(100);
    }
  };
  const addressOf = (service: string) => {
    const line = lines.find((said) => said.startsWith(`[${service}] {`) && said.includes('"listening"'))!;
    return (JSON.parse(line.slice(line.indexOf("{"))) as { url: string }).url;
  };
  const stop = async () => {
    if (supervisor.exitCode === null && supervisor.signalCode === null) {
      const exited = once(supervisor, "exit");
      supervisor.kill("SIGINT");
      await exited;
    }
    await rm(state, { recursive: true, force: true, maxRetries: 5 });
  };
  while (!lines.some((line) => line.includes("npm run speak"))) {
    if (supervisor.exitCode !== null) throw new Error(lines.join("\n"));
    await sleep(100);
  }
  return {
    url,
    transcoderUrl: addressOf("transcoder"),
    espeakUrl: addressOf("espeak"),
    supervisor,
    lines,
    ready,
    stop,
  };
}
