/** The kinds of container there are, and how each is run. */

export interface Kind {
  name: "transcoder" | "espeak" | "coqui";
  /** Streams that one instance should have at once: its load is counted against them. */
  capacity: number;
  /** How long it may take from its start until it is ready, in ms. */
  startTimeoutMs: number;
}

export const KINDS = {
  transcoder: { name: "transcoder", capacity: 50, startTimeoutMs: 30_000 },
  espeak: { name: "espeak", capacity: 16, startTimeoutMs: 30_000 },
  // It speaks one sentence at a time, by turns.
  coqui: { name: "coqui", capacity: 4, startTimeoutMs: 180_000 },
} as const satisfies Record<string, Kind>;

/** What a host says of its container with every answer: its load as a number, or STARTING. */
export const LOAD_HEADER = "x-container-load";
export const STARTING = "starting";

/** A host's status where there are no containers at all, as under `wrangler dev --enable-containers=false`. */
export const NO_CONTAINER = 501;
