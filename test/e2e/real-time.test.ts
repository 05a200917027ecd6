import { expect, test } from "vitest";
import { createSession, expectComplete, Stream } from "../support/session.ts";
import { report } from "../support/report.ts";
import { useStack } from "../support/stack.ts";

const stack = useStack();

/** Of a player that plays from the first message on. */
const MOST_LATE_MS = 25;
const PLAYER_BUFFER_MS = 80;

/** A shorter silence is no hole: timers, and this process itself, are late by as much. */
const JITTER_MS = 5;

/** A busy machine makes messages late, never early: one undisturbed run shows what the gateway does. */
const RUNS = 3;

const TEXT = [
  "The tide came in over the flat sand.",
  "The children were building their wall.",
  "Nobody had told them.",
  "The sea keeps its appointments.",
  "By four the towers leaned.",
  "By five they were gone.",
  "The beach was smooth again.",
  "They went home with a plan.",
].join(" ");

interface Run {
  /** How much later than due after the first message, of the latest one, in ms. */
  latestMs: number;
  /** Silences that a player hears that begins with the first message, the longest one and how many; in ms. */
  longestHoleMs: number;
  holes: number;
  /** The same, for one that begins 80 ms later. */
  bufferedHoles: number;
}

/** What is heard of messages that came at `arrivals` and whose audio ends at `ends`, in ms, by a player that begins late. */
function holesOf(arrivals: readonly number[], ends: readonly number[], bufferMs: number): number[] {
  let playedUntil = arrivals[0]! + bufferMs;
  return arrivals.flatMap((arrival, i) => {
    const hole = arrival - playedUntil;
    playedUntil = Math.max(arrival, playedUntil) + ends[i]! - (ends[i - 1] ?? 0);
    return hole > JITTER_MS ? [hole] : [];
  });
}

async function listen(format: string): Promise<Run> {
  const { wsUrl } = await createSession(stack.url, {
    provider: "mock_tone",
    voice: "en-US-mock-paced",
    text: TEXT,
    target_format: format,
  });
  const stream = new Stream(wsUrl);
  const arrivals: number[] = [];
  stream.onAudio = ({ seq }) => {
    arrivals.push(performance.now());
    stream.send({ type: "ack", seq });
  };
  await stream.closed;
  const { duration_ms: durationMs } = expectComplete(stream);
  const ends = [...stream.audio.slice(1).map(({ ptsMs }) => ptsMs!), durationMs];
  const late = arrivals.map((arrival, i) => arrival - arrivals[0]! - (ends[i]! - ends[0]!));
  const holes = holesOf(arrivals, ends, 0);
  return {
    latestMs: Math.max(...late),
    longestHoleMs: Math.max(0, ...holes),
    holes: holes.length,
    bufferedHoles: holesOf(arrivals, ends, PLAYER_BUFFER_MS).length,
  };
}

test.concurrent.each(["pcm16", "mp3"])(
  "%s of an engine at real time reaches its listener at real time: no message much later than due, no hole for a player with a small buffer",
  async (format) => {
    const runs: Run[] = [];
    const isWell = ({ latestMs, longestHoleMs, bufferedHoles }: Run) =>
      latestMs <= MOST_LATE_MS && longestHoleMs <= MOST_LATE_MS && bufferedHoles === 0;
    while (runs.length < RUNS && !runs.some(isWell)) runs.push(await listen(format));
    for (const { latestMs, longestHoleMs, holes, bufferedHoles } of runs) {
      report(
        `${format}: latest message ${latestMs.toFixed(1)} ms late; ${holes} holes of up to ${longestHoleMs.toFixed(1)} ms for a player without a buffer, ${bufferedHoles} with ${PLAYER_BUFFER_MS} ms`,
      );
    }
    expect(runs.some(isWell)).toBe(true);
  },
);
