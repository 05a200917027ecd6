/** The process of a {@link ./crowd.ts}: acks every message, and notes how late it came. */
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { CrowdMessage, CrowdOptions, CrowdResult, Progress } from "./crowd.ts";
import { quantile } from "./statistics.ts";

/** How often the process looks whether its own timers are late, in ms. */
const LOOK_MS = 10;

const lateness: number[] = [];
const loopDelays: number[] = [];
const failed: CrowdResult["failed"] = {};
const progress: Progress = { audioMs: 0, messages: 0, connected: 0 };

const tell = (message: CrowdMessage) => process.send!(message);

function listen(wsUrl: string): Promise<void> {
  const socket = new WebSocket(wsUrl); // it offers compression, as a browser does
  /** When each message came, and when the audio of the first one ends. */
  let arrivedMs = 0;
  let firstArrivedMs = 0;
  let firstEndMs: number | undefined;
  let startMs = 0;
  let end = "nothing";
  // A message's audio ends where the next one's begins, so each is judged when the next one comes.
  const ended = (endMs: number) => {
    progress.audioMs += endMs - startMs;
    startMs = endMs;
    if (firstEndMs === undefined) firstEndMs = endMs;
    else lateness.push(arrivedMs - firstArrivedMs - (endMs - firstEndMs));
  };
  socket.on("open", () => progress.connected++);
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    const now = performance.now();
    const message = JSON.parse(data.toString("latin1"));
    if (message.type !== "audio") {
      end = message.type === "error" ? message.reason : message.type;
      if (message.type === "eos") ended(message.duration_ms);
      return;
    }
    if (message.seq === 1) firstArrivedMs = now;
    else ended(message.pts_ms);
    arrivedMs = now;
    progress.messages++;
    socket.send(`{"type":"ack","seq":${message.seq}}`);
  });
  return new Promise((resolve) => {
    socket.on("close", (code: number) => {
      progress.connected--;
      if (end !== "eos") failed[`${end}, close code ${code}`] = (failed[`${end}, close code ${code}`] ?? 0) + 1;
      resolve();
    });
  });
}

async function watchLoop(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const from = performance.now();
    await sleep(LOOK_MS);
    loopDelays.push(performance.now() - from - LOOK_MS);
  }
}

async function listenAll({ wsUrls, spreadMs }: CrowdOptions): Promise<void> {
  process.on("message", () => tell({ type: "progress", progress }));
  const over = new AbortController();
  void watchLoop(over.signal);
  const startedAt = performance.now();
  const listening: Promise<void>[] = [];
  for (const [index, wsUrl] of wsUrls.entries()) {
    await sleep(Math.max(0, startedAt + (index / wsUrls.length) * spreadMs - performance.now()));
    listening.push(listen(wsUrl));
  }
  await Promise.all(listening);
  over.abort();
  const byLength = (a: number, b: number) => a - b;
  const sorted = loopDelays.toSorted(byLength);
  const loopDelayMs = { p99: quantile(sorted, 0.99), max: sorted.at(-1)! };
  tell({ type: "result", result: { lateness: lateness.toSorted(byLength), failed, loopDelayMs } });
}

process.once("message", (options: CrowdOptions) => void listenAll(options));
