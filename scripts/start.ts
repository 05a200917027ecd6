/**
 * npm start: the whole gateway on this machine, without Docker: transcoder, eSpeak engine and `wrangler dev`, each
 * started again when it dies. npm run dev (--watch): also when its source changes.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { parseConfig, SETTING_NAMES } from "../worker/config/settings.ts";
import { Supervised, type Part } from "./supervised.ts";

const HELP = `Starts the gateway on this machine: transcoder, eSpeak engine and wrangler dev.
With --watch (npm run dev), each starts again when its source changes.

  PORT         where the gateway listens; default 8787
  STATE_DIR    where sessions are kept; default .wrangler/state
  COQUI_URL    a Coqui engine to use as well, such as http://localhost:8792
  Every setting of the gateway (docs/operations.md) can be given as an environment variable too.
`;

/** What the services are made of beside their own folders. */
const SHARED_FOLDERS = ["service", "protocol"];

/** How often it is looked whether npm is still there. */
const PARENT_MS = 500;

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

/** A second gateway must not share the first one's sessions: both would write to the same files. */
function busyPort(port: number): string {
  const other = port < 65_535 ? port + 1 : port - 1;
  return `port ${port} is in use. A gateway beside that one needs a port and a folder for its sessions of its own:
  PORT=${other} STATE_DIR=.wrangler/state-${other} npm start`;
}

function service(name: string, folder: string, port: number): Part {
  return {
    name,
    args: [`${folder}/main.ts`],
    env: { PORT: String(port), HOST: "127.0.0.1" },
    probeUrl: `http://127.0.0.1:${port}/readyz`,
    watched: process.argv.includes("--watch") ? [folder, ...SHARED_FOLDERS] : [],
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
    watched: [], // wrangler itself loads the Worker again
  };
}

async function main(): Promise<void> {
  if (process.argv.includes("--help")) return void process.stdout.write(HELP);
  const port = Number(process.env.PORT ?? 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`PORT=${process.env.PORT} is no port`);
  if (!(await tryPort(port))) throw new Error(busyPort(port));

  parseConfig(process.env); // what is wrong in it is said here, once
  const settings = Object.fromEntries(
    SETTING_NAMES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );

  const transcoderPort = await freePort();
  const espeakPort = await freePort();
  const parts = [
    new Supervised(service("transcoder", "transcoder", transcoderPort)),
    new Supervised(service("espeak", "engines/espeak", espeakPort)),
  ];
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    console.log("\nstopping");
    await Promise.all(parts.map((part) => part.stop()));
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop());
  // Whoever read the output has gone (npm start | head): nothing is kept running that nobody can see.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => void stop());
  // npm hands a signal to the shell between us, which may die of it without a word: then we have another parent.
  const parent = process.ppid;
  if (/^(start|dev)$/.test(process.env.npm_lifecycle_event ?? "")) {
    setInterval(() => process.ppid !== parent && void stop(), PARENT_MS).unref();
  }

  await Promise.all(parts.map((part) => part.ready()));
  if (isStopping) return;
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
