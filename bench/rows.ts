/**
 * What an hour of audio writes to storage: `node bench/rows.ts --minutes 5 --seconds 40`.
 *
 * Rows as the platform bills them (bench/counted/worker.ts), alarms and lifecycle included, and the size of the session's
 * database. An engine faster than real time has its lead: once for a listener who takes `minutes` of audio as fast as it
 * comes, once for one at real time, in the last half of `seconds` at which the row rate is steady; and an engine at real
 * time has none. What a session writes once, however long it is, is measured with a session of one word.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startGateway } from "../test/support/gateway.ts";
import { startTranscoderProcess } from "../test/support/processes.ts";
import { createSession, longText, type SessionRequest } from "../test/support/session.ts";
import { numberOption } from "./support/options.ts";
import { playFast } from "./support/play-fast.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seconds: { type: "string", default: "80" } },
});
const minutes = numberOption("minutes", values.minutes, 1);
const seconds = numberOption("seconds", values.seconds, 20);

/** What must hold for an hour. */
const MOST_ROWS = { mp3: 700, pcm16: 3_500, realTime: 3_700 } as const;
const MOST_DATABASE = 1.2;

const FORMATS = {
  mp3: { target_format: "mp3" },
  pcm16: { target_format: "pcm16", sample_rate_hz: 22_050 },
} as const;
type Format = keyof typeof FORMATS;

const CHARS_PER_SECOND = 1000 / 65;
const HOUR_S = 3_600;

const transcoder = await startTranscoderProcess();
const gateway = await startGateway({ TRANSCODER_URL: transcoder.url }, { main: "bench/counted/worker.ts" });

interface Rows {
  at: number;
  rows: number;
  databaseBytes: number;
}

function rowsOf(session: string): Rows[] {
  const written = gateway.logs.filter((line) => line.event === "rows_written" && line.session === session);
  return written as unknown as Rows[];
}

const sum = (rows: readonly Rows[]) => rows.reduce((total, each) => total + each.rows, 0);

function create(format: Format, voice: string, audioSeconds: number) {
  const text = audioSeconds > 0 ? longText(audioSeconds * CHARS_PER_SECOND) : "Hello.";
  const request: SessionRequest = { provider: "mock_tone", voice, text, ...FORMATS[format] };
  return createSession(gateway.url, request);
}

/** @returns rows of an hour, but for those written once, and the database's size against the audio's. */
async function fast(format: Format, once: number): Promise<{ rows: number; database: number }> {
  const { id, wsUrl } = await create(format, "en-US-mock-1", minutes * 60);
  const { bytes, durationMs } = await playFast(wsUrl);
  await sleep(500); // the log lines come through a pipe
  const written = rowsOf(id);
  return {
    rows: ((sum(written) - once) / durationMs) * HOUR_S * 1000,
    database: written.at(-1)!.databaseBytes / bytes,
  };
}

/** A listener at real time: rows of an hour at the rate of the last half of the time. */
async function atRealTime(format: Format, voice: string): Promise<number> {
  const { id, wsUrl } = await create(format, voice, seconds * 2 + 60);
  const startedAt = Date.now();
  const played = playFast(wsUrl, (_seq, ptsMs) => sleep(Math.max(0, startedAt + ptsMs - Date.now()))).catch(() => {});
  await sleep(seconds * 1000);
  const end = Date.now();
  const half = rowsOf(id).filter(({ at }) => at >= end - seconds * 500 && at < end);
  await fetch(`${gateway.url}/v1/tts/sessions/${id}`, { method: "DELETE" });
  await played;
  return (sum(half) / (seconds / 2)) * HOUR_S;
}

try {
  const formats = Object.keys(FORMATS) as Format[];
  const table = await Promise.all(
    formats.map(async (format) => {
      const word = await create(format, "en-US-mock-1", 0);
      await playFast(word.wsUrl);
      await sleep(500);
      const once = sum(rowsOf(word.id));
      const steady = Promise.all([atRealTime(format, "en-US-mock-1"), atRealTime(format, "en-US-mock-paced")]);
      const { rows, database } = await fast(format, once);
      const [withLead, realTime] = await steady;
      const judged = (count: number, most: number) => `${Math.round(count + once)} (at most ${most})`;
      return [
        format,
        {
          "once a session": once,
          "an hour, taken as fast as it comes": judged(rows, MOST_ROWS[format]),
          "with a lead, at real time": judged(withLead, MOST_ROWS[format]),
          "engine at real time": judged(realTime, MOST_ROWS.realTime),
          "database / audio": `${database.toFixed(2)}${format === "mp3" ? ` (at most ${MOST_DATABASE})` : ""}`,
        },
      ] as const;
    }),
  );
  console.log(
    `rows written for an hour of audio (from ${minutes} min as fast as it comes, and ${seconds} s at real time)`,
  );
  console.table(Object.fromEntries(table));
} finally {
  await gateway.stop();
  await transcoder.stop();
}
