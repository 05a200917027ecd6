/** Which of a region's instances a request goes to. */

/** What was last heard of an instance: how full it is (1: all it should do at once), and when, in ms. */
export interface Report {
  load: number;
  at: number;
}

/** A report this old says nothing any more: the instance may sleep by now. */
const REPORT_TTL_MS = 15_000;

/** From this load on, another instance is woken up. */
const FULL = 0.8;

/**
 * The region's slots, the best first. Of the instances that are awake and have room, two are drawn and the less busy one
 * is the best: everybody going to the least busy of all would be a herd. One that sleeps costs a cold start, and money:
 * it comes after those that have room, before those that are full.
 */
export function slotOrder(reports: readonly (Report | undefined)[], now: number, random: () => number): number[] {
  const slots = reports.map((report, slot) => ({
    slot,
    load: report && now - report.at < REPORT_TTL_MS ? report.load : undefined,
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

/** Two of a sorted list, in its order; of one, that one. */
function draw<T>(sorted: readonly T[], random: () => number): T[] {
  if (sorted.length <= 2) return [...sorted];
  const first = Math.floor(random() * sorted.length);
  const second = (first + 1 + Math.floor(random() * (sorted.length - 1))) % sorted.length;
  return [sorted[Math.min(first, second)]!, sorted[Math.max(first, second)]!];
}
