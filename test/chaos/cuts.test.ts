import { afterAll, beforeAll, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { between, pick, type Random } from "../support/random.ts";
import { createSession, longText } from "../support/session.ts";
import { useStack } from "../support/stack.ts";
import { startWordEngine } from "../fakes/word-engine.ts";
import { compared, firstCensus, grown, lastCensus, type Census, type Household } from "./census.ts";
import { expectOfEach } from "./crowd.ts";
import { publish, Tallies } from "./figures.ts";
import { CUTS, Line, type LineEvent } from "./line.ts";
import { listen } from "./listen.ts";
import { bytesOf, expectSameBytes, References, type Reference, type Request } from "./oracle.ts";
import { sized } from "./settings.ts";
import { expectWords, numberedText, WORDS } from "./words.ts";

const SESSIONS = sized(1000);
const CROWD = { atOnce: 20, deadlineMs: 90_000 };

const VOICES = { mock_tone: "en-US-mock-1", espeak: "en-us", coqui_tts: WORDS.voice } as const;
const PROVIDERS = ["mock_tone", "espeak", WORDS.provider] as const;

const wordEngine = await startWordEngine();
const stack = useStack({ COQUI_URL: wordEngine.url });
let household: Household;
let before: Census;
let after: Census | undefined;
let references: References;

beforeAll(async () => {
  references = new References(stack.url);
  household = { pid: process.pid, transcoderUrl: stack.transcoder.url, espeakUrl: stack.espeak.url };
  before = await firstCensus(household);
});

const sums = new Tallies();
const COLUMNS = ["sessions", "cuts", "resumed", "messages", "bytes", "equal, hash for hash"] as const;

afterAll(async () => {
  await wordEngine.close();
  const rows = sums.rows((sum) => COLUMNS.map((column) => sum.of(column)));
  await publish("cuts", { header: ["", ...COLUMNS], rows, below: compared(before, after) });
});

function requestOf(number: number, random: Random): Request {
  const provider = PROVIDERS[number % PROVIDERS.length]!;
  const chars = pick(random, [40, 150, 400]);
  return {
    provider,
    voice: VOICES[provider],
    text: provider === WORDS.provider ? numberedText(chars / 4, 0) : longText(chars),
    target_format: pick(random, FORMATS),
    sample_rate_hz: pick(random, [16_000, 24_000]),
  };
}

/** What goes to the client for such a stream, in bytes, and a little less: all cuts must be made. */
function wireBytes({ bytes, audio }: Reference, isBinary: boolean): number {
  const perMessage = isBinary ? 6 : 50;
  return ((isBinary ? bytes : (bytes * 4) / 3) + audio.length * perMessage) * 0.95;
}

/** So many cuts within so many bytes, and now and then a stall between them. */
function eventsOf(random: Random, bytes: number, cuts: number): LineEvent[] {
  const events = Array.from({ length: cuts }, (): LineEvent => ({
    atByte: Math.floor(random() * bytes),
    what: pick(random, CUTS),
  }));
  const stalls = Array.from({ length: between(random, 0, 2) }, (): LineEvent => {
    return { atByte: Math.floor(random() * bytes), what: "stall", ms: between(random, 10, 400) };
  });
  return [...events, ...stalls];
}

it(`${SESSIONS} sessions, each cut 1 to 5 times at any byte and resumed by the client library, lose and repeat nothing`, async () => {
  await expectOfEach(1, SESSIONS, CROWD, async (number, random) => {
    const request = requestOf(number, random);
    const binary = random() < 0.5;
    const reference = await references.of(request);
    const cuts = between(random, 1, 5);
    const line = await Line.open(stack.url, eventsOf(random, wireBytes(reference, binary), cuts));
    try {
      const { wsUrl } = await createSession(stack.url, request);
      const heard = await listen(line.through(wsUrl), { binary });
      if (heard.error) throw heard.error;
      expectSameBytes(heard, reference);
      if (request.provider === WORDS.provider) await expectWords(bytesOf(heard), request, true);
      if (line.cuts !== cuts) throw new Error(`only ${line.cuts} of ${cuts} cuts were made`);
      const sum = sums.of(request.provider === WORDS.provider ? "numbered words" : request.provider);
      sum.add("sessions");
      sum.add("equal, hash for hash");
      sum.add("cuts", cuts);
      sum.add("resumed", heard.lostAfter.length);
      sum.add("messages", heard.audio.length);
      sum.add("bytes", heard.eos!.bytes);
    } finally {
      line.close();
    }
  });
});

it("and leave nothing behind", async () => {
  after = await lastCensus(household, before);
  expect(grown(before, after)).toEqual([]);
});
