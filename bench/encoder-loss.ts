/**
 * What it costs to lose the encoders early and late in a stream: `node bench/encoder-loss.ts --early 0.5 --late 3`.
 *
 * Twenty streams at once are read as fast as they come, Opus among them. At two places of their media time (in minutes)
 * the transcoder is held to a quarter of a core and killed; then workerd is. It is measured how long each stream is
 * silent until the gateway has appended its next message, and what the gateway says was encoded again. The late loss
 * must take no longer than 1.5 times the early one. Linux only.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort, startGateway, type RunningGateway } from "../test/support/gateway.ts";
import { descendants, startTranscoderProcess, type RunningService } from "../test/support/processes.ts";
import { createSession, longText } from "../test/support/session.ts";
import { FastListener } from "./support/fast-listener.ts";
import { numberOption } from "./support/options.ts";
import { median } from "./support/statistics.ts";
import { Throttle } from "./support/throttle.ts";
import { findWorkerd } from "./support/workerd.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "20" },
    early: { type: "string", default: "0.5" },
    late: { type: "string", default: "3" },
  },
});
const streams = numberOption("streams", values.streams, 1);
const early = numberOption("early", values.early, 0.1);
const late = numberOption("late", values.late, early + 1);

const FORMATS = ["opus", "mp3", "aac", "flac"] as const;

/** None of them the engine's own rate, so that there is a resampler too. */
const RATE_HZ = 24_000;

const CHARS_PER_MINUTE = 60_000 / 65;

/** Of a core; the transcoder has a process for each core. */
const SHARE = 0.25 / 2;

/** So long all streams are under way with the transcoder held, before it is killed, in ms. */
const UNDER_WAY_MS = 1_000;

/**
 * Messages after which a stream goes on for certain: far more than were on their way to it at the loss. The longest
 * silence before them is the loss's.
 */
const GOING_ON_MESSAGES = 30;

const MOST_TIMES = 1.5;
const MOST_ABOVE_RUN_UP_MS = 1_000;

const port = await freePort();
const stateFolder = await mkdtemp(join(tmpdir(), "tts-loss-"));
const startTranscoder = () => startTranscoderProcess({ PORT: String(port) });
const start = () => startGateway({ TRANSCODER_URL: `http://127.0.0.1:${port}` }, { stateFolder });
let transcoder: RunningService = await startTranscoder();
let gateway: RunningGateway = await start();

async function beginAll(): Promise<FastListener[]> {
  const text = longText((late + 3) * CHARS_PER_MINUTE);
  const listeners: FastListener[] = [];
  for (let i = 0; i < streams; i++) {
    const target = { target_format: FORMATS[i % FORMATS.length]!, sample_rate_hz: RATE_HZ };
    const { wsUrl } = await createSession(gateway.url, {
      provider: "mock_tone",
      voice: "en-US-mock-1",
      text,
      ...target,
    });
    listeners.push(new FastListener(wsUrl));
  }
  return listeners;
}

async function until(isTrue: () => boolean, what: string, listeners: readonly FastListener[]): Promise<void> {
  while (!isTrue()) {
    const ended = listeners.find(({ end }) => end !== undefined);
    if (ended) throw new Error(`a stream ended before ${what}: ${ended.end}`);
    await sleep(20);
  }
}

interface Loss {
  /** From the loss of the transcoder, or from workerd's first answer on, to the next message: the median of all streams. */
  silentMs: number;
  /** Audio encoded again above the format's run-up: the most of any stream, in ms. */
  aboveRunUpMs: number;
  resumed: number;
}

/**
 * Reads on to `minute`, and loses a part while all streams are under way there.
 * @param loss resolves when the part is back, with the time since which the streams are silent.
 */
async function lose(listeners: readonly FastListener[], minute: number, loss: () => Promise<number>): Promise<Loss> {
  for (const listener of listeners) listener.readTo(minute * 60_000);
  await until(() => listeners.every(({ ptsMs }) => ptsMs >= minute * 60_000), `minute ${minute}`, listeners);
  const before = await Throttle.hold(transcoder.child.pid!, SHARE);
  for (const listener of listeners) listener.readTo(Infinity);
  await sleep(UNDER_WAY_MS);
  before.release();
  const { logs } = gateway;
  const logged = logs.length;
  const since = await loss();
  const after = await Throttle.hold(transcoder.child.pid!, SHARE);
  await until(() => listeners.every(({ messages }) => messages >= GOING_ON_MESSAGES), "it had gone on", listeners);
  after.release();
  const silentMs = median(listeners.map(({ gapEndedAt }) => gapEndedAt - since));
  const events = gateway.logs
    .slice(gateway.logs === logs ? logged : 0)
    .filter(({ event }) => event === "encoder_resumed");
  const above = events.map((event) => Number(event.encoded_again_ms) - Number(event.run_up_ms));
  return { silentMs, aboveRunUpMs: Math.max(...above), resumed: events.length };
}

/** Its processes at once: the supervising one must not start the others again. */
async function killTranscoder(listeners: readonly FastListener[]): Promise<number> {
  for (const { pid } of await descendants(transcoder.child.pid!)) process.kill(pid, "SIGKILL");
  await transcoder.stop();
  const since = performance.now();
  for (const listener of listeners) listener.watch();
  transcoder = await startTranscoder();
  return since;
}

async function killWorkerd(listeners: readonly FastListener[]): Promise<number> {
  process.kill((await findWorkerd(gateway)).pid, "SIGKILL");
  await gateway.stop();
  gateway = await start();
  for (const listener of listeners) {
    listener.watch();
    listener.connect(gateway.url);
  }
  return performance.now();
}

try {
  const rows: Record<string, object> = {};
  for (const [name, kill] of Object.entries({ transcoder: killTranscoder, workerd: killWorkerd })) {
    const listeners = await beginAll();
    for (const listener of listeners) listener.connect(gateway.url);
    const first = await lose(listeners, early, () => kill(listeners));
    const second = await lose(listeners, late, () => kill(listeners));
    for (const listener of listeners) listener.close();
    const times = second.silentMs / first.silentMs;
    const above = Math.max(first.aboveRunUpMs, second.aboveRunUpMs);
    rows[`${name} killed`] = {
      [`next message at ${early} min, ms`]: Math.round(first.silentMs),
      [`at ${late} min`]: Math.round(second.silentMs),
      [`times (at most ${MOST_TIMES})`]: `${times.toFixed(2)}${times <= MOST_TIMES ? "" : " NO"}`,
      [`encoded again above the run-up, ms (at most ${MOST_ABOVE_RUN_UP_MS})`]: above,
      "encoders that went on": `${first.resumed} + ${second.resumed}`,
    };
  }
  console.log(`${streams} streams at once (${FORMATS.join(", ")}), the transcoder on a quarter of a core`);
  console.table(rows);
} finally {
  await gateway.stop();
  await transcoder.stop();
  await rm(stateFolder, { recursive: true, force: true });
}
