/** The product's own services, as processes of their own on free ports. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface RunningService {
  url: string;
  child: ChildProcess;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a service and waits until it is ready. */
async function startProcess(file: string, env: Record<string, string> = {}): Promise<RunningService> {
  const child = spawn(process.execPath, [file], {
    cwd: root,
    env: { ...process.env, PORT: "0", HOST: "127.0.0.1", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let url = "";
  for await (const line of createInterface({ input: child.stdout })) {
    const logged = JSON.parse(line) as { event: string; url?: string };
    if (logged.event !== "listening" || !logged.url) continue;
    url = logged.url;
    break;
  }
  child.stdout.resume();
  if (!url) throw new Error(`${file} did not start`);
  while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) await new Promise((r) => setTimeout(r, 50));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    const started = await descendants(child.pid!);
    for (const { pid } of [{ pid: child.pid! }, ...started]) process.kill(pid, "SIGKILL");
    await exited;
  };
  return { url, child, stop };
}

export const startTranscoderProcess = (env?: Record<string, string>) => startProcess("transcoder/main.ts", env);

export const startEspeakProcess = (env?: Record<string, string>) => startProcess("engines/espeak/main.ts", env);

/** The processes that a process has started, and they in turn. */
export async function descendants(pid: number): Promise<{ pid: number; command: string }[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "")).trim().split(" ");
  const all = await Promise.all(
    children.filter(Boolean).map(async (child) => {
      const command = await readFile(`/proc/${child}/cmdline`, "utf8").catch(() => "");
      return [{ pid: Number(child), command: command.replaceAll("\0", " ") }, ...(await descendants(Number(child)))];
    }),
  );
  return all.flat();
}

/** Memory a process has resident, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** Memory of the workerd processes that `pid` has started, in bytes: wrangler runs one of its own in front of the Worker's. */
export async function workerdBytes(pid: number): Promise<number> {
  const processes = (await descendants(pid)).filter(({ command }) => /workerd.* serve /.test(command));
  const sizes = await Promise.all(processes.map((one) => residentBytes(one.pid)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
