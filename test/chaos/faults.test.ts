import { afterAll, beforeAll, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { startEspeakProcess, startTranscoderProcess, type RunningService } from "../support/processes.ts";
import { between, pick, type Random } from "../support/random.ts";
import { createSession, longText } from "../support/session.ts";
import { startWordEngine, type WordEngine } from "../fakes/word-engine.ts";
import { compared, firstCensus, grown, lastCensus, type Census, type Household } from "./census.ts";
import { alone, expectOfEach } from "./crowd.ts";
import { FaultProxy, FAULTS, type Fault, type FaultKind } from "./fault-proxy.ts";
import { publish, Tallies } from "./figures.ts";
import { CUTS, Line } from "./line.ts";
import { listen, type Heard } from "./listen.ts";
import {
  bytesOf,
  expectOneEnd,
  expectSameBytes,
  expectSameForSecondListener,
  expectSameMedia,
  References,
  secondListener,
  type Request,
} from "./oracle.ts";
import { sized } from "./settings.ts";
import { expectWords, numberedText, tagOf, WORDS } from "./words.ts";

/** Sessions of each kind of fault. */
const EACH = sized(50);
const STORM = sized(300);
const CROWD = { atOnce: 20, deadlineMs: 90_000 };

const ENGINE_FAULTS = FAULTS.filter((kind) => kind !== "input_ends"); // what an engine is sent is no stream

/** They make a stream slow, but break nothing. */
const HARMLESS: ReadonlySet<FaultKind> = new Set(["pause", "drip"]);
/** An engine that falls silent when a part of a segment was heard is given up; after all else it is asked again. */
const SILENT: ReadonlySet<FaultKind> = new Set(["stall"]);
/** They strike before there is any audio. */
const EARLY: ReadonlySet<FaultKind> = new Set(["reset_before_headers", "status_500", "status_503"]);

const ESPEAK = { provider: "espeak", voice: "en-us" };
const MOCK_TONE = { provider: "mock_tone", voice: "en-US-mock-1" };
/** Mock tone and numbered words, at 16,000 Hz. */
const BYTES_PER_MS = 32;
const STORM_VOICES: readonly Pick<Request, "provider" | "voice" | "fallback">[] = [
  MOCK_TONE,
  WORDS,
  ESPEAK,
  { ...ESPEAK, fallback: [MOCK_TONE] },
];

const SETTINGS = {
  FIRST_AUDIO_TIMEOUT_MS: 2_500,
  GAP_TIMEOUT_MS: 2_500,
  TRANSCODER_STALL_MS: 2_500,
  TRANSCODER_WAIT_MS: 2_500,
  PROVIDER_WAIT_MS: 2_500,
  CIRCUIT_MINIMUM_CALLS: 1_000_000, // an open circuit would hide the faults behind it
};

let transcoder: RunningService;
let espeak: RunningService;
let wordEngine: WordEngine;
let wordsLine: FaultProxy;
let transcoderLine: FaultProxy;
let engineLine: FaultProxy;
let gateway: RunningGateway;
/** As it is delivered: with its circuit breaker. */
let storm: RunningGateway;
let references: References;
let household: Household;
let before: Census;
let after: Census | undefined;

/** What the next requests of a session run into, by what tells its requests from others'. */
const plans = new Map<string, (Fault | undefined)[]>();

beforeAll(async () => {
  [transcoder, espeak] = await Promise.all([startTranscoderProcess(), startEspeakProcess()]);
  wordEngine = await startWordEngine();
  transcoderLine = await FaultProxy.start();
  engineLine = await FaultProxy.start();
  wordsLine = await FaultProxy.start();
  transcoderLine.upstreamUrl = transcoder.url;
  transcoderLine.faultOf = ({ searchParams }) =>
    plans.get(`${searchParams.get("format")} ${searchParams.get("sample_rate")}`)?.shift();
  engineLine.upstreamUrl = espeak.url;
  wordsLine.upstreamUrl = wordEngine.url;
  engineLine.faultOf = (_, json) => plans.get(/number \d+/i.exec(json)?.[0].toLowerCase() ?? "")?.shift();
  wordsLine.faultOf = (_, json) => plans.get(/\btag[a-j]+/.exec(json)?.[0] ?? "")?.shift();
  const upstreams = { TRANSCODER_URL: transcoderLine.url, ESPEAK_URL: engineLine.url, COQUI_URL: wordsLine.url };
  [gateway, storm] = await Promise.all([startGateway({ ...upstreams, ...SETTINGS }), startGateway(upstreams)]);
  references = new References(gateway.url);
  household = { pid: process.pid, transcoderUrl: transcoder.url, espeakUrl: espeak.url };
  before = await firstCensus(household);
});

const ends = new Tallies();

afterAll(async () => {
  await Promise.all([gateway?.stop(), storm?.stop()]);
  for (const part of [transcoderLine, engineLine, wordsLine, transcoder, espeak]) await part?.stop();
  await wordEngine?.close();
  const header = ["between gateway and", "sessions", "requests broken", "ended"];
  const rows = ends.rows((tally) => [tally.of("sessions"), tally.of("faults"), tally.others("sessions", "faults")]);
  await publish("faults", { header, rows, below: compared(before, after) });
});

function note(name: string, faults: readonly (Fault | undefined)[], heard: Heard): void {
  const tally = ends.of(name);
  tally.add("sessions");
  tally.add("faults", faults.filter((fault) => fault?.hasStruck).length);
  tally.add(heard.error?.reason ?? "complete");
}

interface Plan {
  faults: (Fault | undefined)[];
  /** Every request fails, from some request on. */
  isForGood: boolean;
}

/** After up to `spared` requests the next one or two are broken, or all there are. */
function planOf(kind: FaultKind, random: Random, spared: number, bodyBytes: number): Plan {
  const isForGood = random() < 0.25;
  const faults = Array.from({ length: isForGood ? 100 : between(random, 1, 2) }, (): Fault => {
    return { kind, atByte: Math.floor(random() * bodyBytes * pick(random, [0.0005, 0.02, 1])) };
  });
  return { faults: [...Array.from({ length: between(random, 0, spared) }, () => undefined), ...faults], isForGood };
}

async function playThrough(key: string, { faults }: Plan, request: Request): Promise<{ heard: Heard; wsUrl: string }> {
  plans.set(key, [...faults]);
  const { wsUrl } = await createSession(gateway.url, request);
  const heard = await listen(wsUrl);
  plans.delete(key);
  return { heard, wsUrl };
}

const textOf = (number: number) =>
  `Number ${number} came in over the sand. The wall of number ${number} was high. By five number ${number} was gone.`;

function expectEnd({ error }: Heard, may: { fail: boolean; end: boolean }): void {
  if (error && !may.fail) throw new Error(`ended with ${error.reason}, although it could have gone on`);
  if (!error && !may.end) throw new Error("ended well, although it could not");
}

/** None of them mock_tone's own, so that every stream needs the transcoder. */
const RATES = [8000, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;

it(`${EACH} sessions for each fault between gateway and transcoder bring the same audio, or end with one error where it never works`, async () => {
  await expectOfEach(1, EACH * FAULTS.length, CROWD, async (number, random) => {
    const kind = FAULTS[number % FAULTS.length]!;
    const [target_format, sample_rate_hz] = [pick(random, FORMATS), pick(random, RATES)];
    const chars = pick(random, [40, 150, 400]);
    const speech =
      random() < 0.5 ? { ...WORDS, text: numberedText(chars / 4, 0) } : { ...MOCK_TONE, text: longText(chars) };
    const request = { ...speech, target_format, sample_rate_hz };
    const key = `${target_format} ${sample_rate_hz}`;
    await alone(key, async () => {
      const reference = await references.of(request);
      const sentBytes = reference.durationMs * BYTES_PER_MS;
      const plan = planOf(kind, random, 0, (kind === "input_ends" ? sentBytes : reference.bytes) * 0.95);
      const { heard, wsUrl } = await playThrough(key, plan, request);
      note(`transcoder: ${kind}`, plan.faults, heard);
      expectSameMedia(heard, request, reference);
      expectSameForSecondListener(await secondListener(wsUrl, heard), heard);
      if (request.provider === WORDS.provider) await expectWords(bytesOf(heard), request, !heard.error);
      // Each encoder goes on where the one before got to, so a stream may get to its end by and by.
      expectEnd(heard, { fail: plan.isForGood && !HARMLESS.has(kind), end: !plan.isForGood || !EARLY.has(kind) });
    });
  });
});

it(`${EACH} sessions for each fault between gateway and engine are whole, or end with one error`, async () => {
  await expectOfEach(100_001, EACH * ENGINE_FAULTS.length, CROWD, async (number, random) => {
    const kind = ENGINE_FAULTS[number % ENGINE_FAULTS.length]!;
    const isWords = random() < 0.5;
    const speech = isWords ? { ...WORDS, text: numberedText(30, number) } : { ...ESPEAK, text: textOf(number) };
    const request = { ...speech, target_format: pick(random, FORMATS), sample_rate_hz: pick(random, RATES) };
    const plan = planOf(kind, random, 2, 60_000);
    const { heard } = await playThrough(isWords ? tagOf(number) : `number ${number}`, plan, request);
    note(`engine: ${kind}`, plan.faults, heard);
    expectSameBytes(heard, await references.of(request));
    if (isWords) await expectWords(bytesOf(heard), request, !heard.error);
    const isHarmless = HARMLESS.has(kind);
    const mayFail = !isHarmless && (plan.isForGood || SILENT.has(kind));
    // Asked again and again for the rest of a segment, an engine may get to its end by and by.
    expectEnd(heard, { fail: mayFail, end: !plan.isForGood || !EARLY.has(kind) });
  });
});

it(`${STORM} sessions in a storm of everything at once, cut clients too, are whole, or end with one error`, async () => {
  await expectOfEach(200_001, STORM, CROWD, async (number, random) => {
    const [target_format, sample_rate_hz] = [pick(random, FORMATS), pick(random, RATES)];
    const voices = pick(random, STORM_VOICES);
    const isMock = voices === MOCK_TONE;
    const isWords = voices === WORDS;
    const text = isWords ? numberedText(30, number) : textOf(number);
    const request: Request = { ...voices, text, target_format, sample_rate_hz };
    const key = `${target_format} ${sample_rate_hz}`;
    const engineKey = isWords ? tagOf(number) : `number ${number}`;
    await alone(key, async () => {
      const reference = voices.fallback ? undefined : await references.of(request);
      const faults = [
        ...(random() < 0.4 ? [{ kind: pick(random, FAULTS), atByte: Math.floor(random() * 30_000) }] : []),
        ...(random() < 0.4 ? [{ kind: pick(random, ENGINE_FAULTS), atByte: Math.floor(random() * 60_000) }] : []),
      ];
      plans.set(key, faults.slice(0, 1));
      plans.set(engineKey, faults.slice(1));
      const cuts = Array.from({ length: between(random, 0, 2) }, () => {
        return { atByte: Math.floor(random() * 60_000), what: pick(random, CUTS) };
      });
      const line = await Line.open(storm.url, cuts);
      try {
        const { wsUrl } = await createSession(storm.url, request);
        const heard = await listen(line.through(wsUrl));
        note(
          `both, and cut clients: ${isWords ? "numbered words" : request.provider}${request.fallback ? " with a fallback" : ""}`,
          faults,
          heard,
        );
        if (reference) expectSameMedia(heard, request, reference);
        else expectOneEnd(heard);
        expectSameForSecondListener(await secondListener(wsUrl, heard), heard);
        if (isWords) await expectWords(bytesOf(heard), request, !heard.error);
        expectEnd(heard, { fail: !isMock, end: true });
      } finally {
        line.close();
        plans.delete(key);
        plans.delete(engineKey);
      }
    });
  });
});

it("and leave nothing behind", async () => {
  after = await lastCensus(household, before);
  expect(grown(before, after)).toEqual([]);
  expect([transcoderLine, engineLine, wordsLine].map(({ active }) => active)).toEqual([0, 0, 0]);
});
