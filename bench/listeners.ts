/**
 * What listeners at real time cost: `node bench/listeners.ts --listeners 100 --format pcm16 --seconds 30`.
 *
 * The built Worker in workerd against an object that sends the same messages at the same times and takes the same acks
 * (bench/baseline): CPU of workerd for an hour of audio, and how late the messages are. The listeners reach workerd
 * itself, not through the proxy of `wrangler dev`. `--profile` also tells where the Worker's time goes. Linux only.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { EndOfStreamMessage } from "../protocol/messages.ts";
import { startGateway, type RunningGateway } from "../test/support/gateway.ts";
import { startTranscoderProcess } from "../test/support/processes.ts";
import { createSession, expectComplete, longText, speak, type SessionRequest } from "../test/support/session.ts";
import type { Recording } from "./baseline/recording.ts";
import { cpuBetween, machineCpuSeconds, readCpu, type CpuUse } from "./support/cpu.ts";
import { Crowd, type CrowdResult } from "./support/crowd.ts";
import { numberOption } from "./support/options.ts";
import { Profiler, type SelfTime } from "./support/profile.ts";
import { quantile } from "./support/statistics.ts";
import { findWorkerd } from "./support/workerd.ts";

const { values } = parseArgs({
  options: {
    listeners: { type: "string", default: "100" },
    format: { type: "string", default: "pcm16" },
    seconds: { type: "string", default: "30" },
    profile: { type: "boolean", default: false },
  },
});

/** Over how long the connections are spread, and how long until all is warm, in ms. */
const SPREAD_MS = 3_000;
const WARM_MS = 5_000;

const listeners = numberOption("listeners", values.listeners, 1);
const seconds = numberOption("seconds", values.seconds, (SPREAD_MS + WARM_MS) / 1000 + 2);

/** Text that the mock tone speaks for a second: its 65 ms a character, and as much between words. */
const CHARS_PER_SECOND = 1000 / 65;

/** A thread that runs for more of the time is full. */
const FULL = 0.9;

const request: SessionRequest = {
  provider: "mock_tone",
  voice: "en-US-mock-paced",
  text: longText(seconds * CHARS_PER_SECOND),
  target_format: values.format,
};

interface Measured extends CrowdResult {
  /** Of workerd, for an hour of audio that the listeners got. */
  cpuSecondsPerHour: number;
  uses: Record<string, CpuUse>;
  /** Cores that neither of them kept busy, but others on this machine. */
  othersCores: number;
  profile: SelfTime[] | undefined;
}

/** What a listener is sent, made faster than real time. */
async function record(url: string): Promise<Recording> {
  const stream = await speak(url, { ...request, voice: "en-US-mock-1" });
  const { duration_ms: durationMs } = expectComplete(stream);
  const starts = [...stream.audio.map(({ ptsMs }) => ptsMs!), durationMs];
  const messages = stream.audio.map(({ data }, i) => ({
    data: data.toString("base64"),
    startMs: starts[i]!,
    endMs: starts[i + 1]!,
  }));
  return { messages, eos: stream.final as EndOfStreamMessage };
}

/** Plays all the streams, and measures while all are under way. */
async function measure(
  gateway: RunningGateway,
  wsUrlsOf: (url: string) => Promise<string[]>,
  { also = {}, isProfiled = false }: { also?: Record<string, number>; isProfiled?: boolean } = {},
): Promise<Measured> {
  const workerd = await findWorkerd(gateway);
  const crowd = new Crowd({ wsUrls: await wsUrlsOf(workerd.url), spreadMs: SPREAD_MS });
  const pids: Record<string, number> = { workerd: workerd.pid, listeners: crowd.pid, ...also };
  const read = () => Promise.all(Object.values(pids).map(readCpu));
  await sleep(SPREAD_MS + WARM_MS);
  const profiler = isProfiled ? await Profiler.start(workerd.inspectorUrl) : undefined;
  const [cpu, progress, machine] = await Promise.all([read(), crowd.progress(), machineCpuSeconds()]);
  const startedAt = performance.now();
  if (progress.connected < listeners)
    console.warn(`only ${progress.connected} of ${listeners} listeners are connected`);
  await sleep(seconds * 1000 - SPREAD_MS - WARM_MS);
  const [cpuAfter, progressAfter, machineAfter] = await Promise.all([read(), crowd.progress(), machineCpuSeconds()]);
  const elapsed = (performance.now() - startedAt) / 1000;
  const profile = await profiler?.stop();
  const uses = Object.keys(pids).map((name, i) => [name, cpuBetween(cpu[i]!, cpuAfter[i]!)] as const);
  const hours = (progressAfter.audioMs - progress.audioMs) / 3_600_000;
  return {
    ...(await crowd.result),
    cpuSecondsPerHour: uses[0]![1].seconds / hours,
    uses: Object.fromEntries(uses),
    othersCores: (machineAfter - machine) / elapsed - uses.reduce((sum, [, { cores }]) => sum + cores, 0),
    profile,
  };
}

async function measureGateway(transcoder: { url: string; child: { pid?: number | undefined } }) {
  const gateway = await startGateway({ TRANSCODER_URL: transcoder.url });
  try {
    const recording = await record(gateway.url);
    const sessions = async (url: string) => {
      const wsUrls: string[] = [];
      while (wsUrls.length < listeners) wsUrls.push((await createSession(url, request)).wsUrl);
      return wsUrls;
    };
    const measured = await measure(gateway, sessions, {
      also: { transcoder: transcoder.child.pid! },
      isProfiled: values.profile,
    });
    return { measured, recording };
  } finally {
    await gateway.stop();
  }
}

async function measureBaseline(recording: Recording): Promise<Measured> {
  const config = fileURLToPath(new URL("baseline/wrangler.toml", import.meta.url));
  const baseline = await startGateway({}, { config });
  try {
    const addresses = async (url: string) => {
      const told = await fetch(url, { method: "PUT", body: JSON.stringify(recording) });
      if (!told.ok) throw new Error(`the baseline answered ${told.status}: ${await told.text()}`);
      return Array.from({ length: listeners }, (_, i) => `${url.replace("http", "ws")}/${i}`);
    };
    return await measure(baseline, addresses);
  } finally {
    await baseline.stop();
  }
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

function row({ cpuSecondsPerHour, lateness, loopDelayMs, uses, failed }: Measured) {
  const ms = (value: number) => Number(value.toFixed(1));
  return {
    "CPU s/h": Number(cpuSecondsPerHour.toFixed(2)),
    "busiest thread": percent(uses.workerd!.busiestThread),
    "late, ms: p50": ms(quantile(lateness, 0.5)),
    p99: ms(quantile(lateness, 0.99)),
    "p99.9": ms(quantile(lateness, 0.999)),
    max: ms(lateness.at(-1)!),
    "listeners' loop, ms late: p99": ms(loopDelayMs.p99),
    "max ": ms(loopDelayMs.max),
    "not whole": Object.values(failed).reduce((sum, count) => sum + count, 0),
  };
}

function limits({ uses, othersCores }: Measured): string {
  const told = Object.entries(uses).map(([name, { cores, busiestThread }]) => {
    const state = busiestThread > FULL ? ", its busiest thread is FULL" : "";
    return `${name} ${cores.toFixed(2)} cores (busiest thread ${percent(busiestThread)}${state})`;
  });
  return `${told.join(", ")}, all else on this machine ${othersCores.toFixed(2)} cores`;
}

const transcoder = await startTranscoderProcess();
try {
  const { measured: gateway, recording } = await measureGateway(transcoder);
  const baseline = await measureBaseline(recording);
  console.log(`${listeners} listeners at real time, ${values.format}, ${seconds} s, Node ${process.version}`);
  console.table({ gateway: row(gateway), baseline: row(baseline) });
  console.log(
    `CPU of workerd: ${(gateway.cpuSecondsPerHour / baseline.cpuSecondsPerHour).toFixed(2)} times the baseline's`,
  );
  console.log(`limits, gateway: ${limits(gateway)}`);
  console.log(`limits, baseline: ${limits(baseline)}`);
  if (Object.keys(gateway.failed).length > 0) console.log("not whole:", gateway.failed);
  if (gateway.profile) {
    console.log("Where the Worker's time went (self time of JavaScript, of what was not idle):");
    for (const { name, file, ms, share } of gateway.profile.slice(0, 40)) {
      console.log(`${(share * 100).toFixed(1).padStart(5)} % ${ms.toFixed(0).padStart(6)} ms  ${name}  ${file}`);
    }
    const perFile = Map.groupBy(gateway.profile, ({ file }) => file || "(not JavaScript)");
    const sums = [...perFile].map(([file, times]) => ({
      file,
      share: times.reduce((sum, { share }) => sum + share, 0),
    }));
    console.log("By file:");
    for (const { file, share } of sums.toSorted((a, b) => b.share - a.share).slice(0, 20)) {
      console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${file}`);
    }
  }
} finally {
  await transcoder.stop();
}
