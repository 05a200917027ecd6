/** The eSpeak engine as a process of its own, which ends with its test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { untilReady } from "./speech.ts";

export function spawnEspeak(env: Record<string, string>) {
  const main = new URL("../../engines/espeak/main.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [main], { env: { ...process.env, PORT: "0", THREADS: "1", ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const exit = once(child, "exit").then(([code]) => ({ code: code as number | null, stderr }));
  return { child, exit };
}

/** One that is ready. */
export async function runEspeak(env: Record<string, string> = {}) {
  const { child, exit } = spawnEspeak(env);
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, "line")) as [string];
  const { url } = JSON.parse(line) as { url: string };
  await untilReady(url);
  return { child, exit, url };
}
