/** What a gateway and its upstreams hold on to while they do nothing: it must not grow. */
import { readdir, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { descendants } from "../support/processes.ts";

/** A gateway with its upstreams, all started by one process. */
export interface Household {
  pid: number;
  transcoderUrl: string;
  espeakUrl: string;
}

/** How the processes of each part are told from the others'. Wrangler has a workerd of its own before the Worker's. */
export const PROCESSES = {
  workerd: /workerd .*entry=127\.0\.0\.1:0/,
  transcoder: /transcoder\/main\.ts/,
  espeak: /espeak\/main\.ts/,
} as const;

/** Idle connections between the parts are closed after this time. */
const IDLE_MS = 6_000;

/** By then everything idle is let go of: connections after 5 s, objects after 10 s. */
const SETTLE_MS = 40_000;

/** How often a census is taken. Those who ask whether all is well come and go, so one look is not enough. */
const LOOK_MS = 500;
const LOOKS = 5;

export type Census = Record<
  | "open encoders"
  | "streams in the transcoder"
  | "syntheses"
  | "queued syntheses"
  | "session objects in memory"
  | "workerd's sockets"
  | "transcoder's sockets"
  | "transcoder's threads"
  | "engine's sockets"
  | "engine's threads",
  number
>;

async function opened(pid: number): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  return Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
}

async function filesOf(pids: readonly number[]): Promise<string[]> {
  return (await Promise.all(pids.map(opened))).flat();
}

const socketsAmong = (files: readonly string[]) => files.filter((file) => file.startsWith("socket:")).length;

async function threadsOf(pids: readonly number[]): Promise<number> {
  const threads = pids.map(async (pid) => (await readdir(`/proc/${pid}/task`).catch(() => [])).length);
  return (await Promise.all(threads)).reduce((sum, count) => sum + count, 0);
}

async function info(url: string): Promise<Record<string, number>> {
  return (await (await fetch(`${url}/v1/info`, { headers: { connection: "close" } })).json()) as Record<string, number>;
}

export async function takeCensus(of: Household): Promise<Census> {
  const [transcoder, espeak] = await Promise.all([info(of.transcoderUrl), info(of.espeakUrl)]);
  const all = await descendants(of.pid);
  const pids = (part: keyof typeof PROCESSES) =>
    all.filter(({ command }) => PROCESSES[part].test(command)).map(({ pid }) => pid);
  const workerdFiles = await filesOf(pids("workerd"));
  // An object in memory has its database open.
  const databases = new Set(workerdFiles.filter((file) => /Session\/[0-9a-f]+\.sqlite$/.test(file)));
  return {
    "open encoders": transcoder.open_encoders!,
    "streams in the transcoder": transcoder.active_streams!,
    syntheses: espeak.syntheses_active!,
    "queued syntheses": espeak.queued!,
    "session objects in memory": databases.size,
    "workerd's sockets": socketsAmong(workerdFiles),
    "transcoder's sockets": socketsAmong(await filesOf(pids("transcoder"))),
    "transcoder's threads": await threadsOf(pids("transcoder")),
    "engine's sockets": socketsAmong(await filesOf(pids("espeak"))),
    "engine's threads": await threadsOf(pids("espeak")),
  };
}

/** The most there is of everything while nothing is done, once what the start has left open is closed. */
export async function firstCensus(of: Household): Promise<Census> {
  await sleep(IDLE_MS);
  const most = await takeCensus(of);
  for (let look = 1; look < LOOKS; look++) {
    await sleep(LOOK_MS);
    const next = await takeCensus(of);
    for (const name of Object.keys(most) as (keyof Census)[]) most[name] = Math.max(most[name], next[name]);
  }
  return most;
}

/** The last census, once everything is let go of or has had the time to be. */
export async function lastCensus(of: Household, before: Census): Promise<Census> {
  for (const end = Date.now() + SETTLE_MS; ;) {
    const census = await takeCensus(of);
    if (grown(before, census).length === 0 || Date.now() > end) return census;
    await sleep(LOOK_MS);
  }
}

/** What there is more of than before. */
export function grown(before: Census, after: Census): string[] {
  const names = Object.keys(before) as (keyof Census)[];
  return names.filter((name) => after[name] > before[name]).map((name) => `${name}: ${before[name]} -> ${after[name]}`);
}

export function compared(before: Census, after: Census | undefined): string {
  const counts = Object.entries(before).map(([name, count]) => `${name} ${count} / ${after?.[name as keyof Census]}`);
  return `At the start / at the end: ${counts.join(", ")}.`;
}
