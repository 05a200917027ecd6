/** CPU time of processes and of their threads, from Linux's /proc. */
import { readdir, readFile } from "node:fs/promises";
import { descendants } from "../../test/support/processes.ts";

/** Ticks of a second in /proc: USER_HZ, 100 on every Linux there is a Node for. */
const TICKS_PER_SECOND = 100;

/** CPU seconds so far, each thread's by its id. */
export interface CpuReading {
  atMs: number;
  seconds: number;
  threads: Map<string, number>;
}

/** What a process took between two readings. */
export interface CpuUse {
  seconds: number;
  /** The share of the time, 0 to 1, in which its busiest thread ran. */
  busiestThread: number;
  /** How many cores it kept busy on average. */
  cores: number;
}

/** utime + stime, fields 14 and 15 of proc(5)'s stat, counted after the command in its parentheses. */
async function secondsIn(stat: string): Promise<number> {
  const fields = (await readFile(stat, "utf8")).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Of a process, and of those that it has started. */
export async function readCpu(pid: number): Promise<CpuReading> {
  const reading: CpuReading = { atMs: performance.now(), seconds: 0, threads: new Map() };
  for (const each of [pid, ...(await descendants(pid)).map((child) => child.pid)]) {
    reading.seconds += await secondsIn(`/proc/${each}/stat`);
    for (const thread of await readdir(`/proc/${each}/task`)) {
      const seconds = await secondsIn(`/proc/${each}/task/${thread}/stat`).catch(() => undefined);
      if (seconds !== undefined) reading.threads.set(thread, seconds); // else it has just ended
    }
  }
  return reading;
}

export function cpuBetween(before: CpuReading, after: CpuReading): CpuUse {
  const elapsed = (after.atMs - before.atMs) / 1000;
  const seconds = after.seconds - before.seconds;
  const perThread = [...after.threads].map(([id, end]) => end - (before.threads.get(id) ?? 0));
  return { seconds, busiestThread: Math.max(...perThread) / elapsed, cores: seconds / elapsed };
}

/** CPU seconds that the whole machine has spent so far. */
export async function machineCpuSeconds(): Promise<number> {
  const [user, nice, system, , , irq, softirq] = (await readFile("/proc/stat", "utf8"))
    .split("\n")[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
}
