import cluster, { type Worker } from "node:cluster";
import { logLine } from "../service/http-service.ts";
import type { Activity } from "./server.ts";

/** A process that ended is replaced after this pause, in ms. */
const RESTART_MS = 500;

/**
 * glibc's malloc raises by itself the size from which it maps memory apart, and then scatters FLAC's 7 MB encoders over
 * its heap: 800 in a row, each freed, left 1.3 GB resident. A fixed size keeps that flat.
 */
const ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: String(1024 * 1024) };

/**
 * The supervising process: one encoding process for each core, each taking whole HTTP exchanges. Encoding blocks the
 * thread it runs on, and a process that crashes in native code takes only its own streams along.
 */
export function superviseFleet(processes: number): void {
  const activities = new Map<number, Activity>();
  let stopping = false;

  cluster.on("listening", ({ process: { pid } }) => logLine("transcoder", "process_started", { pid }));
  cluster.on("message", (worker, activity: Activity) => {
    activities.set(worker.id, activity);
    broadcast();
  });
  cluster.on("exit", (worker, code, signal) => {
    activities.delete(worker.id);
    broadcast();
    if (stopping) return;
    logLine("transcoder", "process_ended", { pid: worker.process.pid, code, signal });
    setTimeout(() => stopping || cluster.fork(ENVIRONMENT), RESTART_MS);
  });

  function broadcast(): void {
    const totals = sum(activities.values());
    for (const worker of living()) if (worker.isConnected()) worker.send(totals, () => {});
  }

  function stop(): void {
    stopping = true;
    for (const worker of living()) worker.process.kill("SIGTERM");
    if (living().length === 0) process.exit(0);
  }

  // The first one alone: if it cannot listen, none can, and it has said why.
  const first = cluster.fork(ENVIRONMENT);
  first.once("exit", exitUnlistened);
  first.once("listening", () => {
    first.off("exit", exitUnlistened);
    if (stopping) return;
    for (let more = 1; more < processes; more++) cluster.fork(ENVIRONMENT);
  });
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  cluster.on("exit", () => {
    if (stopping && living().length === 0) process.exit(0);
  });
}

/**
 * In an encoding process: Node ends it when its supervisor has died, but where it has something to say to the supervisor at
 * that moment, as when it starts, with a stack trace (EPIPE).
 */
export function endQuietlyWithSupervisor(): void {
  cluster.worker!.on("error", () => process.exit(0));
}

/** In an encoding process: tells the supervisor what it does, and knows what all do. */
export class FleetMember {
  #totals: Activity = { active_streams: 0, open_encoders: 0 };

  constructor() {
    // A signal to the whole group comes a second time from the supervisor: by default that one would kill.
    process.on("SIGTERM", () => {}).on("SIGINT", () => {});
    process.on("message", (totals: Activity) => (this.#totals = totals));
  }

  report(activity: Activity): void {
    if (process.connected) process.send?.(activity, () => {});
  }

  totals(): Activity {
    return this.#totals;
  }
}

function exitUnlistened(code: number | null): void {
  process.exit(code ?? 1);
}

function living(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined && !worker.isDead()) as Worker[];
}

function sum(activities: Iterable<Activity>): Activity {
  const totals = { active_streams: 0, open_encoders: 0 };
  for (const { active_streams, open_encoders } of activities) {
    totals.active_streams += active_streams;
    totals.open_encoders += open_encoders;
  }
  return totals;
}
