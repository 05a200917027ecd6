import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../support/gateway.ts";
import { descendants } from "../support/processes.ts";
import { outputOf, ROOT, runScript } from "../support/run-script.ts";
import { createSession, expectComplete, play, sha256 } from "../support/session.ts";
import { report } from "../support/report.ts";
import { startSupervised, type SupervisedGateway } from "../support/supervised.ts";

let port: number;
let url: string;
let supervisor: ChildProcess;
let folder: string;
let lines: string[];
let gateway: SupervisedGateway;

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

it("a busy port is a clear message", async () => {
  const { code, stderr } = await outputOf(runScript("scripts/start.ts", [], { PORT: String(port) }));
  expect(code).toBe(1);
  expect(stderr).toContain(`port ${port} is in use`);
  expect(stderr, "two gateways in one folder would share their sessions").toContain("STATE_DIR=");
  const other = createServer().listen(0, "0.0.0.0");
  await once(other, "listening");
  const taken = (other.address() as { port: number }).port;
  expect((await outputOf(runScript("scripts/start.ts", [], { PORT: String(taken) }))).stderr).toContain("is in use");
  other.close();
});

it("before npm ci each script says that nothing is installed, on a Node that cannot read it", async () => {
  const bare = await mkdtemp(join(tmpdir(), "tts-bare-"));
  await cp(join(ROOT, "scripts"), join(bare, "scripts"), { recursive: true });
  await cp(join(ROOT, "package.json"), join(bare, "package.json"));
  const machines = (process.env.PATH ?? "").split(":").filter((path) => !path.includes("node_modules"));
  const env = { ...process.env, PATH: machines.join(":") };
  for (const script of ["start", "dev", "speak"]) {
    const { code, stderr } = await outputOf(spawn("npm", ["run", "--silent", script], { cwd: bare, env }));
    expect(code).toBe(1);
    expect(stderr).toBe("Nothing is installed here yet. Run this first: npm ci\n");
  }
  await rm(bare, { recursive: true });
});

it("npm start names nothing that it does not use", () => {
  expect(lines.some((line) => line.includes("env.SESSIONS"))).toBe(true);
  expect(lines.filter((line) => /container/i.test(line) && !line.includes("env.CONTAINERS"))).toEqual([]);
});

it("npm start stops everything when nobody reads its output any more", async () => {
  const other = await freePort();
  const child = runScript("scripts/start.ts", [], { PORT: String(other), STATE_DIR: folder });
  const exited = once(child, "exit") as Promise<[number | null]>;
  await once(child.stdout!, "data");
  const started = (await descendants(child.pid!)).map(({ pid }) => pid);
  child.stdout!.destroy(); // as head does
  const [code] = await exited;
  expect(code).toBe(0);
  expect(started.length).toBeGreaterThanOrEqual(2);
  expect(await alive(started)).toEqual([]);
});

it("a wrong setting is one clear message", async () => {
  const { code, stderr } = await outputOf(runScript("scripts/start.ts", [], { PORT: "1", STALL_TIMEOUT_MS: "soon" }));
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
  const npm = spawn("npm", ["start"], { cwd: ROOT, env, stdio: "ignore" });
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
