/** The Coqui engine as a process, on a tiny model with random weights. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../engines/coqui", import.meta.url));
const python = join(folder, ".venv/bin/python");

/** Whether its Python environment has been made: npm run test:coqui does. */
export const hasCoqui = existsSync(python);

/** The folder of a new model, that of the caller. */
export function makeTinyModel(): { checkpoint: string; remove(): void } {
  const model = mkdtempSync(join(tmpdir(), "tiny-vits-"));
  execFileSync(python, ["tests/tiny_models.py", model], { cwd: folder, stdio: "ignore" });
  return { checkpoint: join(model, "model.pth"), remove: () => rmSync(model, { recursive: true }) };
}

export interface CoquiProcess {
  url: string;
  stop(): Promise<void>;
}

async function urlOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const logged = JSON.parse(line) as { event: string; url?: string };
    if (logged.event === "listening" && logged.url) return logged.url;
  }
  throw new Error("the engine did not start");
}

/** It listens; its model may still be loading. */
export async function startCoqui(
  env: Record<string, string>,
  { withFaults = false }: { withFaults?: boolean } = {},
): Promise<CoquiProcess> {
  const child = spawn(python, ["-m", withFaults ? "tests.serve_with_faults" : "coqui_engine"], {
    cwd: folder,
    env: { ...process.env, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await urlOf(child);
  child.stdout.resume();
  const stop = async () => {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  };
  return { url, stop };
}
