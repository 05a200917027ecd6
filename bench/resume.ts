/**
 * How soon a client that comes back hears something: `node bench/resume.ts --minutes 10 --resumes 50 --restarts 5`.
 *
 * From the upgrade to the first message, behind 2, 50 and 95 % of a long stream, in every format; and the same with a
 * new session object, whose workerd was killed (so often) and started again. No encoder may be started for any of it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { FORMATS } from "../protocol/formats.ts";
import { FaultProxy } from "../test/chaos/fault-proxy.ts";
import { startGateway, type RunningGateway } from "../test/support/gateway.ts";
import { startTranscoderProcess } from "../test/support/processes.ts";
import { createSession, longText } from "../test/support/session.ts";
import { numberOption } from "./support/options.ts";
import { playFast } from "./support/play-fast.ts";
import { median } from "./support/statistics.ts";
import { findWorkerd } from "./support/workerd.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    resumes: { type: "string", default: "50" },
    restarts: { type: "string", default: "5" },
    formats: { type: "string", default: FORMATS.join(",") },
  },
});
const minutes = numberOption("minutes", values.minutes, 0.1);
const resumes = numberOption("resumes", values.resumes, 1);
const restarts = numberOption("restarts", values.restarts, 0);

const SHARES = [0.02, 0.5, 0.95] as const;

/** Text that the mock tone speaks for a minute, at its 65 ms a character. */
const CHARS_PER_MINUTE = 60_000 / 65;

/** What must hold, in ms. */
const MOST_MS = 50;
const MOST_APART_MS = 5;

/** Ended sessions are kept for so long. */
const A_DAY_MS = 86_400_000;

/** A place in a stream to which clients come back; each has a session of its own, so that each new object has one first upgrade. */
interface Place {
  format: string;
  share: number;
  path: string;
  /** Waits of each client, with the object in memory and with a new one, in ms. */
  warmMs: number[];
  newMs: number[];
}

async function makePlace(url: string, format: string, share: number): Promise<Place> {
  const text = longText(minutes * CHARS_PER_MINUTE);
  const { wsUrl } = await createSession(url, {
    provider: "mock_tone",
    voice: "en-US-mock-1",
    text,
    target_format: format,
  });
  const { messages } = await playFast(wsUrl);
  const path = `${new URL(wsUrl).pathname}?after=${Math.floor(messages * share)}`;
  return { format, share, path, warmMs: [], newMs: [] };
}

/** @returns how long the first message took from the upgrade on, in ms. */
function comeBack(url: string, { path }: Place): Promise<number> {
  const socket = new WebSocket(url.replace("http", "ws") + path);
  return new Promise((resolve, reject) => {
    let openedAt = 0;
    socket.on("upgrade", () => (openedAt = performance.now()));
    socket.once("message", (data: Buffer) => {
      const tookMs = performance.now() - openedAt;
      if (JSON.parse(data.toString("latin1")).type !== "audio") reject(new Error(`${path}: ${data.toString()}`));
      socket.once("close", () => resolve(tookMs));
      socket.terminate();
    });
    socket.on("error", reject);
  });
}

let encodersStarted = 0;
const transcoder = await startTranscoderProcess();
const counter = await FaultProxy.start();
counter.upstreamUrl = transcoder.url;
counter.faultOf = ({ pathname }) => {
  if (pathname === "/v1/transcode") encodersStarted++;
  return undefined;
};
const stateFolder = await mkdtemp(join(tmpdir(), "tts-resume-"));
const start = () => startGateway({ TRANSCODER_URL: counter.url, ENDED_TTL_MS: A_DAY_MS }, { stateFolder });
let gateway: RunningGateway | undefined;
try {
  gateway = await start();
  const places: Place[] = [];
  for (const format of values.formats.split(",")) {
    for (const share of SHARES) places.push(await makePlace(gateway.url, format, share));
  }
  encodersStarted = 0;
  const { url } = await findWorkerd(gateway);
  for (let round = 0; round <= resumes; round++) {
    for (const place of places) {
      const tookMs = await comeBack(url, place);
      if (round > 0) place.warmMs.push(tookMs); // the first one may find a new object
    }
  }
  for (let round = 0; round < restarts; round++) {
    process.kill((await findWorkerd(gateway)).pid, "SIGKILL");
    await gateway.stop();
    gateway = await start();
    const { url: newUrl } = await findWorkerd(gateway);
    for (const place of places) place.newMs.push(await comeBack(newUrl, place));
  }
  report(places);
} finally {
  await gateway?.stop();
  counter.stop();
  await transcoder.stop();
  await rm(stateFolder, { recursive: true, force: true });
}

function report(places: Place[]): void {
  console.log(`${minutes} min of audio; medians of ${resumes} resumes, and of ${restarts} with a new object, in ms`);
  const apart = (medians: number[]) => Math.max(...medians) - Math.min(...medians);
  const row = (medians: number[]) => {
    const isWell = Math.max(...medians) < MOST_MS && apart(medians) <= MOST_APART_MS;
    const cells = medians.map((value, i) => [`${SHARES[i]! * 100} %`, Number(value.toFixed(1))]);
    return {
      ...Object.fromEntries(cells),
      apart: Number(apart(medians).toFixed(1)),
      "as it must be": isWell ? "yes" : "NO",
    };
  };
  const rows = [...Map.groupBy(places, ({ format }) => format)].flatMap(([format, ofFormat]) => [
    [format, row(ofFormat.map(({ warmMs }) => median(warmMs)))] as const,
    ...(restarts > 0 ? [[`${format}, new object`, row(ofFormat.map(({ newMs }) => median(newMs)))] as const] : []),
  ]);
  console.table(Object.fromEntries(rows));
  console.log(`encoders started for them: ${encodersStarted} (must be 0)`);
}
