import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../support/gateway.ts";
import { descendants } from "../support/processes.ts";
import { createSession, expectComplete, play, sha256 } from "../support/session.ts";
import { report } from "../support/report.ts";
import { startSupervised, type SupervisedGateway } from "../support/supervised.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let port: number;
let url: string;
let supervisor: ChildProcess;
let folder: string;
let lines: string[];
let gateway: SupervisedGateway;

function run(script: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function outputOf(child: ChildProcess): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on("data", (data: Buffer) => stdout.push(data));
  child.stderr!.on("data", (data: Buffer) => stderr.push(data));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

const isWell = async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true;

async function until(isTrue: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  for (const end = Date.now() + ms; !(await isTrue());) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms; the last lines:\n${lines.slice(-20).join("\n")}`);
    await sleep(100);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tts-speak-"));
  gateway = await startSupervised();
  ({ url, supervisor, lines } = gateway);
  port = Number(new URL(url).port);
});

afterAll(async () => {
  await gateway?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("npm run speak writes speech to a file, and says how it goes", async () => {
  const file = join(folder, "hello.mp3");
  const { code, stderr } = await outputOf(
    run("client/speak.ts", ["Hello there", "--voice", "en-us", "--format", "mp3", "-o", file, "--url", url]),
  );
  expect(code).toBe(0);
  expect(stderr).toMatch(/[\d.]+ s of audio, \d+ bytes, first audio after [\d.]+ s/);
  const bytes = await readFile(file);
  expect(bytes[0]).toBe(0xff);
  expect(bytes.length).toBeGreaterThan(3000);
});

it("npm run speak writes to standard output, and takes the text from standard input", async () => {
  const child = spawn(process.execPath, ["client/speak.ts", "-", "--format", "wav", "-o", "-", "--url", url], {
    cwd: root,
  });
  child.stdin.end("Hello there");
  const { code, stdout } = await outputOf(child);
  expect(code).toBe(0);
  expect(stdout.toString("latin1", 0, 4)).toBe("RIFF");
  expect(stdout.length).toBeGreaterThan(20_000);
});

it("npm run speak writes a WAV file that says its length", async () => {
  const file = join(folder, "hello.wav");
  expect((await outputOf(run("client/speak.ts", ["Hello there", "-o", file, "--url", url]))).code).toBe(0);
  const bytes = await readFile(file);
  expect(bytes.length).toBeGreaterThan(20_000);
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  expect(bytes.readUInt32LE(40)).toBe(bytes.length - 44);
});

it("npm run speak explains itself, and what is wrong", async () => {
  expect((await outputOf(run("client/speak.ts", ["--help"]))).stdout.toString()).toContain("npm run speak");
  const cases: [string[], RegExp][] = [
    [[], /TEXT/],
    [["a", "b"], /TEXT/],
    [["Hello", "--format", "vorbis", "--url", url], /pcm16/],
    [["Hello", "-o", join(folder, "hello.xyz"), "--url", url], /end it in \.pcm, .*\.mp3.* --format/],
    [["Hello", "--voice", "nobody", "--url", url], /--list/],
    [["Hello", "--rate", "1", "--url", url], /sample_rate_hz: 1 is not possible/],
    [["Hello", "--url", "http://127.0.0.1:9"], /npm start/],
    [["Hello", "--wrong"], /--wrong/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await outputOf(run("client/speak.ts", args));
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
  }
});

it("a busy port is a clear message", async () => {
  const { code, stderr } = await outputOf(run("scripts/start.ts", [], { PORT: String(port) }));
  expect(code).toBe(1);
  expect(stderr).toContain(`port ${port} is in use`);
  const other = createServer().listen(0, "0.0.0.0");
  await once(other, "listening");
  const taken = (other.address() as { port: number }).port;
  expect((await outputOf(run("scripts/start.ts", [], { PORT: String(taken) }))).stderr).toContain("is in use");
  other.close();
});

it("a wrong setting is one clear message", async () => {
  const { code, stderr } = await outputOf(run("scripts/start.ts", [], { PORT: "1", STALL_TIMEOUT_MS: "soon" }));
  expect(code).toBe(1);
  expect(stderr).toContain('STALL_TIMEOUT_MS="soon"');
});

const request = { provider: "mock_tone", voice: "en-US-mock-1", text: "Kept through a crash.", target_format: "mp3" };

it.each(["workerd", "transcoder/main.ts", "espeak/main.ts"])(
  "%s, killed outright, is back within seconds, and sessions are kept",
  async (name) => {
    await until(isWell, 5_000); // and so the client's old connections are gone
    const { wsUrl } = await createSession(url, request);
    const before = await play(wsUrl);
    expectComplete(before);
    const unclaimed = await createSession(url, request);

    const victims = (await descendants(supervisor.pid!)).filter(({ command }) => command.includes(name));
    expect(victims.length).toBeGreaterThan(0);
    const said = lines.length;
    const killedAt = Date.now();
    for (const { pid } of victims) process.kill(pid, "SIGKILL");
    // Of workerd wrangler itself says so, and starts it again.
    const isSaid = (line: string) => /starting it again|crashed .* is being restarted|process_died/.test(line);
    await until(() => lines.slice(said).some(isSaid), 20_000);
    await until(async () => (await isWell()) && (await fetch(`${url}/readyz`)).ok, 30_000);
    report(`${name} was back after ${Date.now() - killedAt} ms`);

    const after = await play(wsUrl.replace(/:\d+\//, `:${port}/`));
    expectComplete(after);
    expect(sha256(after.bytes)).toBe(sha256(before.bytes));
    expectComplete(await play(unclaimed.wsUrl));
  },
);

/** A process that ended without its parent's notice is a zombie until the system's first process sees it. */
async function alive(pids: number[]): Promise<string[]> {
  const states = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => `${pid} (gone) X`)),
  );
  return states.filter((stat) => !/\) [ZX]/.test(stat));
}

it("npm start stops everything when npm is told to stop, and with it only the shell between them", async () => {
  const other = await freePort();
  const env = { ...process.env, PORT: String(other), STATE_DIR: folder };
  const npm = spawn("npm", ["start"], { cwd: root, env, stdio: "ignore" });
  const answers = async () => (await fetch(`http://127.0.0.1:${other}/healthz`).catch(() => undefined))?.ok === true;
  await until(answers, 60_000);
  const started = (await descendants(npm.pid!)).map(({ pid }) => pid);
  expect(started.length).toBeGreaterThanOrEqual(5);
  npm.kill("SIGTERM");
  await until(async () => (await alive(started)).length === 0, 20_000);
  expect(await answers()).toBe(false);
});

it("Ctrl-C stops everything and leaves no orphan", async () => {
  const started = (await descendants(supervisor.pid!)).map(({ pid }) => pid);
  expect(started.length).toBeGreaterThanOrEqual(4);
  supervisor.kill("SIGINT");
  const [code] = (await once(supervisor, "exit")) as [number];
  expect(code).toBe(0);
  expect(await alive(started)).toEqual([]);
  expect(await isWell()).toBe(false);
});
