/** The Coqui engine, as a process on a tiny model; skipped where its Python environment has not been made. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";
import { describeEngine } from "./conformance.ts";

const folder = fileURLToPath(new URL("../../engines/coqui", import.meta.url));
const python = join(folder, ".venv/bin/python");

async function urlOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const logged = JSON.parse(line) as { event: string; url?: string };
    if (logged.event === "listening" && logged.url) return logged.url;
  }
  throw new Error("the engine did not start");
}

async function startCoqui(): Promise<{ url: string; close(): Promise<void> }> {
  const model = mkdtempSync(join(tmpdir(), "tiny-vits-"));
  execFileSync(python, ["tests/tiny_models.py", model], { cwd: folder, stdio: "ignore" });
  const child = spawn(python, ["-m", "coqui_engine"], {
    cwd: folder,
    env: { ...process.env, PORT: "0", COQUI_CHECKPOINT: join(model, "model.pth"), QUEUE_LIMIT: "8", MAX_CHARS: "1000" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await urlOf(child);
  child.stdout.resume();
  const close = async () => {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
    rmSync(model, { recursive: true });
  };
  return { url, close };
}

describe.skipIf(!existsSync(python))("Coqui", () => {
  describeEngine("Coqui", {
    start: startCoqui,
    voice: "coqui-en-1",
    language: "en-US",
    longText: "The quick brown fox jumps over the lazy dog, and then it goes home. ".repeat(10).trim(),
    words: true,
    burst: 24,
  });
});
