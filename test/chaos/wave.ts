/** Sessions begin, a process is killed while all of them are in mid-stream, and each comes to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import { between, type Random } from "../support/random.ts";
import { createSession } from "../support/session.ts";
import type { Tallies } from "./figures.ts";
import { listen, type Heard, type Listening } from "./listen.ts";
import type { MortalGateway, Victim } from "./mortal-gateway.ts";
import {
  bytesOf,
  expectOnlyUnwrittenDiffers,
  expectSameForSecondListener,
  expectSameMedia,
  secondListener,
  type Reference,
  type Request,
} from "./oracle.ts";
import { expectWords, WORDS } from "./words.ts";

/** A session under way, and how it went. */
export interface Session {
  request: Request;
  wsUrl: string;
  /** Has begun, and not ended. */
  isStreaming: boolean;
  /** Messages heard so far. */
  messages: number;
  /** The listener waits so long after each message, in ms; after the kill no more. */
  paceMs: number;
  heard: Promise<Heard>;
}

/** @returns once it has begun to stream. */
export async function begin(url: string, request: Request, paceMs: number, options: Listening): Promise<Session> {
  const { wsUrl } = await createSession(url, request);
  const began = Promise.withResolvers<void>();
  const session = { request, wsUrl, isStreaming: false, messages: 0, paceMs } as Session;
  const onChunk = async () => {
    session.isStreaming = true;
    session.messages++;
    began.resolve();
    await sleep(session.paceMs);
  };
  session.heard = listen(wsUrl, { ...options, onChunk }).finally(() => {
    session.isStreaming = false;
    began.resolve();
  });
  await began.promise;
  return session;
}

/** How a session ended and how it compares, in a few words for the figures. */
interface Verdict {
  end: string;
  /** Audio that a second listener of the session got otherwise, in ms. */
  differsMs: number;
}

/**
 * @param messages that were heard when the process was killed.
 * @throws Error if anything was lost, said twice or changed that may not be.
 */
async function judge(
  victim: Victim,
  { request, wsUrl }: Session,
  heard: Heard,
  messages: number,
  reference: Reference,
) {
  if (heard.error) throw new Error(`ended with ${heard.error.reason}, although all parts came back`);
  expectSameMedia(heard, request, reference, victim === "espeak" ? Infinity : messages);
  const again = await secondListener(wsUrl, heard);
  if (victim !== "workerd") expectSameForSecondListener(again, heard);
  const differsMs = expectOnlyUnwrittenDiffers(again, heard);
  if (request.provider === WORDS.provider) {
    await expectWords(bytesOf(heard), request, true);
    if (differsMs > 0) await expectWords(again.bytes, request, true);
  }
  const isSame = bytesOf(heard).equals(Buffer.concat(reference.audio));
  const end = isSame
    ? "as if nothing had happened, to the byte"
    : `the same audio, encoded by another encoder${differsMs > 0 ? "; its last moment before the loss encoded again" : ""}`;
  return { end, differsMs } satisfies Verdict;
}

export interface WaveOptions {
  gateway: MortalGateway;
  victim: Victim;
  requests: readonly Request[];
  paceMs: number;
  /** How long after all have begun the kill comes, at most, in ms. */
  withinMs: number;
  /** Of an uninterrupted session. */
  referenceOf: (request: Request) => Promise<Reference>;
}

/** @returns the longest stretch that a second listener got otherwise, in ms. */
export async function wave(options: WaveOptions, ends: Tallies, random: Random): Promise<number> {
  const { gateway, victim, requests, paceMs, withinMs, referenceOf } = options;
  gateway.drip(false);
  await gateway.ready();
  const references = new Map<Request, Reference>();
  for (const request of requests) references.set(request, await referenceOf(request));
  gateway.drip(true);
  const beginning = requests.map((request) => begin(gateway.url, request, paceMs, { binary: random() < 0.5 }));
  const sessions = await Promise.all(beginning);
  await sleep(between(random, 0, withinMs));
  const missed = sessions.filter(({ isStreaming }) => !isStreaming).length;
  if (missed > 0) throw new Error(`${missed} sessions were not in mid-stream`);
  const messages = sessions.map((session) => session.messages);
  await gateway.kill(victim);
  for (const session of sessions) session.paceMs = 0;
  const problems: string[] = [];
  const judged = sessions.map(async (session, i) => {
    const { request, wsUrl } = session;
    const name = request.provider === WORDS.provider ? "numbered words" : request.provider;
    try {
      const heard = await session.heard;
      const { end, differsMs } = await judge(victim, session, heard, messages[i]!, references.get(request)!);
      const tally = ends.of(`${victim}, ${name}`);
      tally.add("sessions");
      tally.add("resumed", heard.lostAfter.length > 0 ? 1 : 0);
      tally.add(end);
      return differsMs;
    } catch (error) {
      const { target_format: format, sample_rate_hz: rate } = request;
      problems.push(`${victim}, ${name}, ${format}, ${rate} Hz, ${wsUrl}: ${(error as Error).message}`);
      return 0;
    }
  });
  const longestMs = Math.max(...(await Promise.all(judged)));
  if (problems.length > 0) throw new Error(problems.join("\n  "));
  return longestMs;
}
