import { afterAll, beforeAll, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { pick, type Random } from "../support/random.ts";
import { expectOfEach } from "./crowd.ts";
import { publish, Tallies } from "./figures.ts";
import { MortalGateway, type Victim } from "./mortal-gateway.ts";
import { References, type Request } from "./oracle.ts";
import { sized } from "./settings.ts";
import { wave } from "./wave.ts";
import { numberedText, WORDS } from "./words.ts";

/** Sessions under way when a process is killed. */
const WAVE = 10;

const VICTIMS: readonly Victim[] = ["workerd", "transcoder", "espeak"];
const WAVES = Math.max(VICTIMS.length, sized(120 / WAVE));
const CROWD = { atOnce: 1, deadlineMs: 180_000 };

/** Four minutes of audio: in every format far more than the window and the lead hold. */
const WORD_COUNT = 1_500;

/** Slow: the window is full and the lead used up while the listener has hardly begun. */
const PACE_MS = 30;

let gateway: MortalGateway;
let references: References;

beforeAll(async () => {
  gateway = await MortalGateway.start({});
  references = new References(gateway.url);
});

const ends = new Tallies();
let longestMs = 0;

afterAll(async () => {
  await gateway?.stop();
  const header = ["killed, heard from", "sessions in mid-stream", "resumed", "ended"];
  const rows = ends.rows((tally) => [tally.of("sessions"), tally.of("resumed"), tally.others("sessions", "resumed")]);
  await publish("full-window", { header, rows, below: `Longest stretch encoded again: ${longestMs} ms.` });
});

function requestOf(random: Random): Request {
  const [target_format, sample_rate_hz] = [pick(random, FORMATS), pick(random, [16_000, 24_000])];
  return { ...WORDS, text: numberedText(WORD_COUNT, 0), target_format, sample_rate_hz };
}

it(`${WAVES * WAVE} sessions of a fast engine and a slow listener, killed with a full window and the lead as delivered, are heard to their end`, async () => {
  await expectOfEach(300_001, WAVES, CROWD, async (number, random) => {
    const requests = Array.from({ length: WAVE }, () => requestOf(random));
    const victim = VICTIMS[number % VICTIMS.length]!;
    const options = { gateway, victim, requests, paceMs: PACE_MS, withinMs: 5_000, referenceOf };
    longestMs = Math.max(longestMs, await wave(options, ends, random));
  });
});

function referenceOf(request: Request) {
  return references.of(request);
}
