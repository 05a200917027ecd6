/** Many sessions, a few at a time, each of which must come to an end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import { only, randomOf, seed } from "./settings.ts";

/** Failures told in full. */
const TOLD = 10;

export interface CrowdOptions {
  atOnce: number;
  /** A session that has not ended by then hangs. */
  deadlineMs: number;
}

async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  const ended = new AbortController();
  const tooLate = sleep(deadlineMs, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`hangs: no end within ${deadlineMs} ms`);
  });
  tooLate.catch(() => {});
  return Promise.race([work, tooLate]).finally(() => ended.abort());
}

/**
 * Runs the sessions numbered from `from` on.
 * @throws Error that tells of every session that failed, and how to run it alone.
 */
export async function expectOfEach(
  from: number,
  count: number,
  { atOnce, deadlineMs }: CrowdOptions,
  session: (number: number, random: Random) => Promise<void>,
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => from + i).filter((n) => only === undefined || n === only);
  const waiting = numbers.values();
  const failures: string[] = [];
  async function runSome(): Promise<void> {
    for (const number of waiting) {
      try {
        await within(session(number, randomOf(number)), deadlineMs);
      } catch (error) {
        failures.push(`CHAOS_SEED=${seed} CHAOS_ONLY=${number}: ${(error as Error).message}`);
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, runSome));
  if (failures.length === 0) return;
  throw new Error(`${failures.length} of ${numbers.length} failed:\n${failures.slice(0, TOLD).join("\n")}`);
}

const running = new Map<string, Promise<unknown>>();

/** Work of one key at a time: the others wait. */
export async function alone<T>(key: string, work: () => Promise<T>): Promise<T> {
  const mine = (running.get(key) ?? Promise.resolve()).then(work);
  running.set(
    key,
    mine.catch(() => {}),
  );
  return mine;
}
