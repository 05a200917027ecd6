/**
 * The built Worker in workerd, listening on a real socket.
 *
 * Through `wrangler dev`, not wrangler's test harness: that one sends a Worker's requests through Node, where an abort
 * gets lost (seen with wrangler 4.164.0), and aborts are much of what is tested here.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

export interface RunningGateway {
  url: string;
  child: ChildProcess;
  /** The Worker's log lines so far. */
  logs: Record<string, unknown>[];
  stop(): Promise<void>;
}

/** How long wrangler may take to remove its containers, in ms. */
const STOP_MS = 20_000;

const root = fileURLToPath(new URL("../..", import.meta.url));

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export interface GatewayOptions {
  /** A configuration of wrangler's with containers; without one there are none. */
  containersConfig?: string;
  /** A configuration of wrangler's of another Worker, one without containers. */
  config?: string;
  /** The entry of another Worker with the same configuration. */
  main?: string;
  /** A folder that keeps the objects' storage, also when the gateway stops; without one there is a new one each time. */
  stateFolder?: string;
}

/** @param vars settings of worker/config/settings.ts, the addresses of upstreams among them. */
export async function startGateway(
  vars: Record<string, string | number>,
  { containersConfig, config = containersConfig, main, stateFolder }: GatewayOptions = {},
): Promise<RunningGateway> {
  const port = await freePort();
  const state = stateFolder ?? (await mkdtemp(join(tmpdir(), "tts-gateway-")));
  const args = ["--port", String(port), "--inspector-port", "0", "--persist-to", state];
  if (config) args.push("--config", config);
  if (!containersConfig) args.push("--enable-containers=false");
  const settings = Object.entries(containersConfig ? vars : { CONTAINERS: "off", ...vars }).flatMap(([name, value]) => [
    "--var",
    `${name}:${value}`,
  ]);
  const child = spawn(
    process.execPath,
    ["node_modules/wrangler/bin/wrangler.js", "dev", ...(main ? [main] : []), ...args, ...settings],
    {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a process group of its own, so that workerd ends with it
    },
  );
  const logs: Record<string, unknown>[] = [];
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      if (line.startsWith("{")) logs.push(JSON.parse(line) as Record<string, unknown>);
      else output += `${stripVTControlCharacters(line)}\n`; // a build's errors are coloured whatever one asks for
    });
  }
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/healthz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`wrangler dev ended:\n${output}`);
    if (output.includes("[ERROR]")) {
      process.kill(-child.pid!, "SIGKILL"); // of some errors it does not end, but waits for a change
      throw new Error(`wrangler dev says:\n${output}`);
    }
    await sleep(100);
  }
  const stop = async () => {
    // Asked to stop, wrangler removes the containers it has started.
    if (containersConfig && child.kill("SIGTERM")) await Promise.race([once(child, "exit"), sleep(STOP_MS)]);
    process.kill(-child.pid!, "SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    if (!stateFolder) await rm(state, { recursive: true, force: true, maxRetries: 5 });
  };
  return { url, child, logs, stop };
}
