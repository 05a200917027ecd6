import { afterAll, beforeAll, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { startGateway } from "../support/gateway.ts";
import { startEspeakProcess, startTranscoderProcess } from "../support/processes.ts";
import { pick, type Random } from "../support/random.ts";
import { compared, firstCensus, grown, lastCensus, PROCESSES, type Census } from "./census.ts";
import { expectOfEach } from "./crowd.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { publish, Tallies } from "./figures.ts";
import { MortalGateway, type Victim } from "./mortal-gateway.ts";
import { References, type Request } from "./oracle.ts";
import { sized } from "./settings.ts";
import { begin, wave } from "./wave.ts";
import { numberedText, WORDS } from "./words.ts";

/** Sessions under way when a process is killed. */
const WAVE = 10;

const VICTIMS = Object.keys(PROCESSES) as Victim[];

/** Sessions for each part that never comes back. */
const LOST = sized(20);

const WAVES = Math.max(VICTIMS.length, sized(200 / WAVE));
const CROWD = { atOnce: 1, deadlineMs: 120_000 };

/** Faster than it is spoken, but streams last some seconds: the listener waits so long after each message. */
const PACE_MS = 65;

/** The engine of numbered words is so many times as fast as speech: as fast as its listener. */
const PACED = 1.5;

/** So little may be on its way, and so little spoken ahead, that every part is at work all the time. */
const SETTINGS = { WINDOW_BYTES: "16384", LEAD_MS: "1000" };

let gateway: MortalGateway;
let before: Census;
let after: Census | undefined;
let references: References;

beforeAll(async () => {
  gateway = await MortalGateway.start(SETTINGS, PACED);
  references = new References(gateway.url);
  before = await firstCensus(gateway.household);
});

const ends = new Tallies();
let longestMs = 0;

afterAll(async () => {
  await gateway?.stop();
  const header = ["killed, heard from", "sessions in mid-stream", "resumed", "ended"];
  const rows = ends.rows((tally) => [tally.of("sessions"), tally.of("resumed"), tally.others("sessions", "resumed")]);
  const below = `Longest stretch encoded again: ${longestMs} ms. ${compared(before, after)}`;
  await publish("kills", { header, rows, below });
});

const TEXT =
  "The tide came in over the sand. The children were building their wall. By five it was gone. They went home with a plan.";

const MOCK_TONE_PACED = { provider: "mock_tone", voice: "en-US-mock-paced" } as const;

const ESPEAK = { provider: "espeak", voice: "en-us" } as const;
const MOCK_TONES = [{ provider: "mock_tone", voice: "en-US-mock-1" }, MOCK_TONE_PACED] as const;

/** A request that needs the victim. */
function requestOf(number: number, victim: Victim, random: Random): Request {
  const others = victim === "espeak" ? [ESPEAK] : [ESPEAK, ...MOCK_TONES];
  const voice = number % 2 === 0 ? WORDS : pick(random, others);
  const text = voice === WORDS ? numberedText(50, 0) : TEXT;
  return { ...voice, text, target_format: pick(random, FORMATS), sample_rate_hz: pick(random, [16_000, 24_000]) };
}

/** What an uninterrupted session brings; mock_tone's tones are the same whether paced or not. */
function referenceOf(request: Request) {
  return references.of(request.provider === "mock_tone" ? { ...request, voice: "en-US-mock-1" } : request);
}

it(`${WAVES * WAVE} sessions in which workerd, the transcoder or the engine is killed in mid-stream are heard to their end`, async () => {
  await expectOfEach(1, WAVES, CROWD, async (number, random) => {
    const victim = VICTIMS[number % VICTIMS.length]!;
    const requests = Array.from({ length: WAVE }, (_, i) => requestOf(i, victim, random));
    const options = { gateway, victim, requests, paceMs: PACE_MS, withinMs: 1_000, referenceOf };
    longestMs = Math.max(longestMs, await wave(options, ends, random));
  });
});

/** What is never started again, once it is killed, and what a session needs that needs it. */
const FOR_GOOD = {
  espeak: { provider: "espeak", voice: "en-us", target_format: "mp3", reasons: ["provider_failed", "circuit_open"] },
  transcoder: { ...MOCK_TONE_PACED, target_format: "mp3", reasons: ["transcoder_unavailable"] },
  workerd: { ...MOCK_TONE_PACED, target_format: "pcm16", reasons: ["connection_lost"] },
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
      const beginning = Array.from({ length: LOST }, () => begin(mortal.url, request, PACE_MS, { resumeForMs: 3_000 }));
      const sessions = await Promise.all(beginning);
      await killing[victim]();
      for (const { error } of await Promise.all(sessions.map(({ heard }) => heard))) {
        expect(reasons).toContain(error?.reason);
        const tally = ends.of(`${victim}, for good`);
        tally.add("sessions");
        tally.add(error!.reason);
      }
    }
  } finally {
    await Promise.all([transcoder.stop(), espeak.stop()]);
    line.stop();
  }
}, 120_000);

it("and leave nothing behind", async () => {
  after = await lastCensus(gateway.household, before);
  expect(grown(before, after)).toEqual([]);
});
