/**
 * How much chaos, and which:
 *
 *     CHAOS_SIZE=1     full size, whose figures go into docs/reliability.md; without it a tenth
 *     CHAOS_SEED=7     other chances
 *     CHAOS_ONLY=137   only the session of this number, as it was in the whole run
 */
import { seeded, type Random } from "../support/random.ts";

const size = Number(process.env.CHAOS_SIZE ?? 0.1);
if (!(size > 0 && size <= 1)) throw new Error(`CHAOS_SIZE=${process.env.CHAOS_SIZE} is not above 0 and at most 1`);

export const isFullSize = size === 1;

export const seed = Number(process.env.CHAOS_SEED ?? 1);
if (!Number.isInteger(seed)) throw new Error(`CHAOS_SEED=${process.env.CHAOS_SEED} is no whole number`);

export const only = process.env.CHAOS_ONLY === undefined ? undefined : Number(process.env.CHAOS_ONLY);

/** How many of so many at full size. */
export function sized(full: number): number {
  return Math.max(1, Math.round(full * size));
}

/** The chances of one session, whatever the others do. */
export function randomOf(number: number): Random {
  return seeded(Math.imul(seed, 1_000_003) + number);
}
