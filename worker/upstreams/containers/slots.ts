/** Which of a region's instances a request goes to. */

/** How full an instance is (1: it has all the work it should have at once), and when it said so, in ms since 1970. */
export interface InstanceLoad {
  load: number;
  at: number;
}

/** A load heard longer ago, in ms, says nothing: the instance may sleep by now. */
const LOAD_TTL_MS = 15_000;

/** From this load on, another instance is woken up. */
const FULL = 0.8;

/**
 * Orders the region's slots, the best first. Two of the instances that are awake and have room are drawn at random, and
 * the less busy one comes first; if every request went to the least busy instance, they would all arrive there at once.
 * An instance that sleeps costs a cold start and money, so it comes after those with room and before those that are full.
 */
export function slotOrder(loads: readonly (InstanceLoad | undefined)[], now: number, random: () => number): number[] {
  const slots = loads.map((heard, slot) => ({
    slot,
    load: heard && now - heard.at < LOAD_TTL_MS ? heard.load : undefined,
  }));
  const asleep = slots.filter(({ load }) => load === undefined);
  const awake = slots.flatMap(({ slot, load }) => (load === undefined ? [] : [{ slot, load }]));
  awake.sort((a, b) => a.load - b.load);
  const withRoom = awake.filter(({ load }) => load < FULL);
  const full = awake.slice(withRoom.length);
  const drawn = draw(withRoom, random);
  const order = [...drawn, ...withRoom.filter((slot) => !drawn.includes(slot)), ...asleep, ...full];
  return order.map(({ slot }) => slot);
}

/** Draws two of a sorted list, in its order, or all of a shorter one. */
function draw<T>(sorted: readonly T[], random: () => number): T[] {
  if (sorted.length <= 2) return [...sorted];
  const first = Math.floor(random() * sorted.length);
  const second = (first + 1 + Math.floor(random() * (sorted.length - 1))) % sorted.length;
  return [sorted[Math.min(first, second)]!, sorted[Math.max(first, second)]!];
}
