import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { startGateway } from "../support/gateway.ts";
import { descendants, startEspeakProcess, startTranscoderProcess } from "../support/processes.ts";
import { between, pick, type Random } from "../support/random.ts";
import { createSession } from "../support/session.ts";
import { startSupervised, type SupervisedGateway } from "../support/supervised.ts";
import { compared, firstCensus, grown, lastCensus, PROCESSES, type Census, type Household } from "./census.ts";
import { expectOfEach } from "./crowd.ts";
import { publish, Tallies } from "./figures.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { listen, type Heard, type Listening } from "./listen.ts";
import {
  differenceTo,
  expectOneEnd,
  expectSameBytes,
  expectSameLength,
  References,
  secondListener,
  type Request,
} from "./oracle.ts";
import { sized } from "./settings.ts";

/** Sessions under way when a process is killed. */
const WAVE = 10;

type Victim = keyof typeof PROCESSES;
const VICTIMS = Object.keys(PROCESSES) as Victim[];

/** Sessions for each part that never comes back. */
const LOST = sized(20);

const WAVES = Math.max(VICTIMS.length, sized(200 / WAVE));
const CROWD = { atOnce: 1, deadlineMs: 120_000 };

/** Faster than it is spoken, but streams last some seconds: the listener waits so long after each message. */
const PACE_MS = 65;

/** So little may be on its way, and so little spoken ahead, that every part is at work all the time. */
const SETTINGS = { WINDOW_BYTES: "16384", LEAD_MS: "1000" };

let gateway: SupervisedGateway;
let engineLine: FaultProxy;
let household: Household;
let before: Census;
let after: Census | undefined;
let references: References;

beforeAll(async () => {
  // The engine's audio comes at the pace of a large model's, so that it is caught in the middle of its sentences.
  engineLine = await FaultProxy.start();
  gateway = await startSupervised({ ...SETTINGS, ESPEAK_URL: engineLine.url });
  engineLine.upstreamUrl = gateway.espeakUrl;
  await gateway.ready();
  references = new References(gateway.url);
  household = { ...gateway, pid: gateway.supervisor.pid! };
  before = await firstCensus(household);
});

const ends = new Tallies();
let longestLossMs = 0;

function count(name: string, end: string, losses: number): void {
  const tally = ends.of(name);
  tally.add("sessions");
  tally.add("resumed", losses > 0 ? 1 : 0);
  tally.add(end);
}

afterAll(async () => {
  await gateway?.stop();
  engineLine?.stop();
  const header = ["killed, heard from", "sessions in mid-stream", "resumed", "ended"];
  const rows = ends.rows((tally) => [tally.of("sessions"), tally.of("resumed"), tally.others("sessions", "resumed")]);
  const below = `Longest stretch spoken again: ${longestLossMs} ms. ${compared(before, after)}`;
  await publish("kills", { header, rows, below });
});

const TEXT =
  "The tide came in over the sand. The children were building their wall. By five it was gone. They went home with a plan.";

function requestOf(provider: string, random: Random): Request {
  const voice = provider === "espeak" ? "en-us" : pick(random, ["en-US-mock-1", "en-US-mock-paced"]);
  const [target_format, sample_rate_hz] = [pick(random, FORMATS), pick(random, [16_000, 24_000])];
  return { provider, voice, text: TEXT, target_format, sample_rate_hz };
}

const PACED = { provider: "mock_tone", voice: "en-US-mock-paced" } as const;

/** What an uninterrupted session of mock_tone brings: the same tones whether paced or not. */
const referenceOf = (request: Request) => references.of({ ...request, voice: "en-US-mock-1" });

/** A session under way, and how it went. */
interface Session {
  request: Request;
  wsUrl: string;
  /** Has begun, and not ended. */
  isStreaming: boolean;
  heard: Promise<Heard>;
}

async function begin(url: string, request: Request, options: Listening): Promise<Session> {
  const { wsUrl } = await createSession(url, request);
  const began = Promise.withResolvers<void>();
  const session = { request, wsUrl, isStreaming: false } as Session;
  const onChunk = async () => {
    session.isStreaming = true;
    began.resolve();
    await sleep(PACE_MS);
  };
  session.heard = listen(wsUrl, { ...options, onChunk }).finally(() => {
    session.isStreaming = false;
    began.resolve();
  });
  await began.promise;
  return session;
}

async function kill(victim: Victim): Promise<void> {
  const processes = await descendants(household.pid);
  const victims = processes.filter(({ command }) => PROCESSES[victim].test(command));
  for (const { pid } of victims) process.kill(pid, "SIGKILL");
  if (victim === "espeak") engineLine.cutAll(); // what had left the engine already is lost with it
}

/** @returns how it ended, in a word for the figures. */
async function judge({ request, wsUrl }: Session, heard: Heard): Promise<string> {
  expectOneEnd(heard);
  const end = heard.error?.reason ?? "complete";
  if (request.provider === "mock_tone") {
    expectSameBytes(heard, await referenceOf(request));
    return `${end}, bit-identical`;
  }
  await expectSameLength(heard, request, references);
  const again = await secondListener(wsUrl, heard);
  const difference = differenceTo(again, heard);
  if (!difference) return `${end}, as a second listener hears it`;
  const lostAfter = heard.lostAfter.at(-1) ?? 0;
  if (difference.last > lostAfter) throw new Error(`lost after ${lostAfter}, but ${JSON.stringify(difference)} differ`);
  const at = (seq: number) => again.audio[seq]?.ptsMs ?? again.final!.duration_ms;
  longestLossMs = Math.max(longestLossMs, at(difference.last) - at(difference.first - 1));
  return `${end}, its last moment before the loss spoken again`;
}

/** Sessions begin, the victim is killed while all of them are in mid-stream, and each comes to its end. */
async function wave(victim: Victim, random: Random): Promise<void> {
  const providers = victim === "espeak" ? ["espeak"] : ["mock_tone", "espeak"];
  const requests = Array.from({ length: WAVE }, (_, i) => requestOf(providers[i % providers.length]!, random));
  engineLine.faultOf = () => undefined;
  await gateway.ready();
  await Promise.all(requests.filter(({ provider }) => provider === "mock_tone").map(referenceOf));
  engineLine.faultOf = () => ({ kind: "drip", atByte: 0 });
  const sessions = await Promise.all(
    requests.map((request) => begin(gateway.url, request, { binary: random() < 0.5 })),
  );
  await sleep(between(random, 0, 1_000));
  const missed = sessions.filter(({ isStreaming }) => !isStreaming).length;
  if (missed > 0) throw new Error(`${missed} sessions were not in mid-stream`);
  await kill(victim);
  const problems: string[] = [];
  const judged = sessions.map(async (session) => {
    const name = `${victim}, ${session.request.provider}`;
    try {
      const heard = await session.heard;
      const end = await judge(session, heard);
      if (heard.error) throw new Error(`ended with ${heard.error.reason}, although all parts came back`);
      count(name, end, heard.lostAfter.length);
    } catch (error) {
      const { target_format: format, sample_rate_hz: rate } = session.request;
      problems.push(`${name}, ${format}, ${rate} Hz, ${session.wsUrl}: ${(error as Error).message}`);
    }
  });
  await Promise.all(judged);
  if (problems.length > 0) throw new Error(problems.join("\n  "));
}

it(`${WAVES * WAVE} sessions in which workerd, the transcoder or the engine is killed in mid-stream are heard to their end`, async () => {
  await expectOfEach(1, WAVES, CROWD, (number, random) => wave(VICTIMS[number % VICTIMS.length]!, random));
});

/** What is never started again, once it is killed, and what a session needs that needs it. */
const FOR_GOOD = {
  espeak: { provider: "espeak", voice: "en-us", target_format: "mp3", reasons: ["provider_failed", "circuit_open"] },
  transcoder: { ...PACED, target_format: "mp3", reasons: ["transcoder_unavailable"] },
  workerd: { ...PACED, target_format: "pcm16", reasons: ["connection_lost"] },
} as const;

it(`${LOST * VICTIMS.length} sessions whose engine, transcoder or gateway never comes back end with one error that says so`, async () => {
  const [transcoder, espeak, line] = await Promise.all([
    startTranscoderProcess(),
    startEspeakProcess(),
    FaultProxy.start(),
  ]);
  line.upstreamUrl = espeak.url;
  line.faultOf = () => ({ kind: "drip", atByte: 0 });
  const mortal = await startGateway({
    ...SETTINGS,
    PROVIDER_WAIT_MS: 3_000,
    TRANSCODER_URL: transcoder.url,
    ESPEAK_URL: line.url,
  });
  const killing = {
    espeak: async () => {
      await espeak.stop();
      line.cutAll();
    },
    transcoder: () => transcoder.stop(),
    workerd: () => mortal.stop(),
  };
  try {
    for (const victim of ["espeak", "transcoder", "workerd"] as const) {
      const { reasons, ...parts } = FOR_GOOD[victim];
      const request = { ...parts, text: TEXT, sample_rate_hz: 16_000 };
      const beginning = Array.from({ length: LOST }, () => begin(mortal.url, request, { resumeForMs: 3_000 }));
      const sessions = await Promise.all(beginning);
      await killing[victim]();
      for (const { error } of await Promise.all(sessions.map(({ heard }) => heard))) {
        expect(reasons).toContain(error?.reason);
        count(`${victim}, for good`, error!.reason, 0);
      }
    }
  } finally {
    await Promise.all([transcoder.stop(), espeak.stop()]);
    line.stop();
  }
}, 120_000);

it("and leave nothing behind", async () => {
  after = await lastCensus(household, before);
  expect(grown(before, after)).toEqual([]);
});
