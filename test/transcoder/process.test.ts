import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { encodeEnd } from "../../protocol/envelope.ts";
import { startTranscoder } from "../../transcoder/server.ts";
import { parseConfig } from "../../transcoder/config.ts";
import { descendants } from "../support/processes.ts";
import { audioEnvelopes, body, formatEvent, info, OpenStream, transcode } from "./client.ts";
import { glide } from "./signal.ts";

const MAIN = fileURLToPath(new URL("../../transcoder/main.ts", import.meta.url));

interface Running {
  child: ChildProcess;
  url: string;
  exited: Promise<number | null>;
  /** The last log line of this event, once `count` of them have come. */
  line: (event: string, count?: number) => Promise<Record<string, unknown>>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function launch(env: Record<string, string>): { child: ChildProcess; exited: Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own
  });
  children.push(child);
  return { child, exited: once(child, "exit").then(([code]) => code as number | null) };
}

async function start(env: Record<string, string>): Promise<Running> {
  const { child, exited } = launch({ PORT: "0", ...env });
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout! }).on("line", (text) =>
    lines.push(JSON.parse(text) as Record<string, unknown>),
  );
  child.stderr!.resume();
  const line = async (event: string, count = 1) => {
    const found = () => lines.filter((entry) => entry.event === event);
    await expect.poll(() => found().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
    return found().at(-1)!;
  };
  return { child, exited, line, url: (await line("listening", Number(env.PROCESSES))).url as string };
}

describe.each(["1", "3"])("the transcoder as %s process(es)", (processes) => {
  it.each([
    ["it", "SIGTERM"],
    ["its whole group", "SIGTERM"],
    ["its whole group", "SIGINT"],
  ] as const)("lets a running stream end after %s gets a %s, then exits with 0", async (receiver, signal) => {
    const { child, url, exited, line } = await start({ PROCESSES: processes });
    const stream = new OpenStream(url, { format: "opus", sample_rate: 24_000 });
    expect(await stream.status()).toBe(200);
    const result = stream.result();
    await stream.send(formatEvent(22_050), ...audioEnvelopes(glide(22_050, 1), 2_205));
    process.kill(receiver === "it" ? child.pid! : -child.pid!, signal);
    await line("draining");
    await stream.send(...audioEnvelopes(glide(22_050, 1), 2_205), encodeEnd());
    stream.end();
    const { samples, error } = await result;
    expect(error).toBeUndefined();
    expect(samples).toBe(156 + 48_000);
    const completed = performance.now();
    expect(await exited).toBe(0);
    expect(performance.now() - completed).toBeLessThan(5_000); // though the client keeps the connection
  });

  it("does not wait for connections that a client only keeps", async () => {
    const { child, url, exited } = await start({ PROCESSES: processes });
    await info(url); // fetch keeps the connection
    const started = performance.now();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("says in one line that its port is taken", async () => {
    const other = await startTranscoder({ port: 0, host: "127.0.0.1" });
    const port = new URL(other.url).port;
    const { child, exited } = launch({ PORT: port, PROCESSES: processes });
    let stderr = "";
    child.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await exited).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`transcoder: cannot listen on 127.0.0.1:${port}`);
    expect(stderr).toContain("EADDRINUSE");
    await other.close(0);
  });
});

describe("a fleet of processes", () => {
  it("shares the streams out and knows how many there are", async () => {
    const { url } = await start({ PROCESSES: "2" });
    const streams = Array.from({ length: 6 }, () => new OpenStream(url, { format: "mp3", sample_rate: 24_000 }));
    for (const stream of streams) expect(await stream.status()).toBe(200);
    await expect.poll(() => info(url)).toMatchObject({ active_streams: 6, open_encoders: 6 });
    for (const stream of streams) stream.leave();
    await expect.poll(() => info(url)).toMatchObject({ active_streams: 0, open_encoders: 0 });
  });

  it("replaces a process that dies", async () => {
    const { url, line } = await start({ PROCESSES: "2" });
    const streams = Array.from({ length: 4 }, () => new OpenStream(url, { format: "mp3", sample_rate: 24_000 }));
    for (const stream of streams) expect(await stream.status()).toBe(200);
    const broken = Promise.allSettled(streams.map((stream) => stream.result()));
    const { pid } = await line("process_started", 2);
    process.kill(pid as number, "SIGKILL");
    await line("process_ended");
    // How many of them it had is up to when they came.
    await expect.poll(async () => (await info(url)).active_streams).toBeLessThan(4);
    for (const stream of streams) stream.leave();
    await broken;
    for (let request = 0; request < 4; request++) {
      const { error } = await transcode(url, { format: "mp3", sample_rate: 24_000 }, body(glide(22_050, 0.1), 22_050));
      expect(error).toBeUndefined();
    }
  });
});

describe("configuration", () => {
  it("names the variable that is wrong, and what is allowed", async () => {
    expect(() => parseConfig({ PORT: "http" })).toThrow('PORT must be a whole number from 0 to 65535, not "http"');
    expect(() => parseConfig({ PROCESSES: "0" })).toThrow('PROCESSES must be a whole number from 1 to 1024, not "0"');
    const { exited } = launch({ INPUT_IDLE_MS: "soon" });
    expect(await exited).toBe(1);
  });

  it("has defaults", () => {
    expect(parseConfig({})).toMatchObject({
      port: 8790,
      host: "127.0.0.1",
      inputIdleMs: 120_000,
      outputStalledMs: 300_000,
    });
  });
});

it("leaves nothing running, and no stack trace, when its supervisor is killed while processes start", async () => {
  const { child } = launch({ PORT: "0", PROCESSES: "3" });
  let said = "";
  child.stderr!.on("data", (data: Buffer) => (said += data.toString()));
  const errors = once(child.stderr!, "close"); // of every process
  for await (const line of createInterface({ input: child.stdout! })) if (line.includes("process_started")) break;
  const held = new Set<number>();
  await expect
    .poll(
      async () => {
        for (const { pid } of await descendants(child.pid!)) {
          // The encoder's library is there, so the process is about to listen, which it tells its supervisor.
          if (!(await readFile(`/proc/${pid}/maps`, "utf8")).includes("node-av")) continue;
          process.kill(pid, "SIGSTOP");
          held.add(pid);
        }
        return held.size;
      },
      { interval: 5 },
    )
    .toBe(3);
  child.kill("SIGKILL");
  for (const pid of held) process.kill(pid, "SIGCONT");
  await errors;
  expect(said).toBe("");
});
