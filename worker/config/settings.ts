/** The gateway's settings: every variable, its unit and its default. */
import { z } from "zod";

const count = (initial: number, min = 1) => z.coerce.number().int().min(min).default(initial);
const milliseconds = (initial: number) => count(initial, 1);
const url = z.union([z.literal(""), z.url({ protocol: /^https?$/ })]).default("");

const settings = z.object({
  /** Base addresses of upstreams; empty: in a container, see CONTAINERS. */
  TRANSCODER_URL: url,
  ESPEAK_URL: url,
  COQUI_URL: url,

  /** Whether an upstream without an address runs in a container; off: it is not there. */
  CONTAINERS: z.enum(["on", "off"]).default("on"),
  /** Most containers of each kind in one region of the world (wrangler.toml's max_instances holds for all regions). */
  CONTAINERS_PER_REGION: count(3),
  /** A container that nobody has asked for so long is stopped. */
  CONTAINER_IDLE_MS: milliseconds(300_000),

  /** Longest text of one request, in characters (UTF-16 code units); a stored value takes 2 MB. */
  MAX_TEXT_CHARS: z.coerce.number().int().min(1).max(500_000).default(100_000),

  /** How long the first audio of a segment may take each time it is asked for, and a busy engine is waited for in all. */
  FIRST_AUDIO_TIMEOUT_MS: milliseconds(10_000),
  /** How long the engine may pause in the middle of a segment. */
  GAP_TIMEOUT_MS: milliseconds(10_000),
  /** How long a provider that is gone in the middle of a stream is waited for, if no other voice can go on. */
  PROVIDER_WAIT_MS: milliseconds(20_000),
  /** How often a segment is asked for (being told "busy", or waiting as above, does not count). */
  PROVIDER_ATTEMPTS: count(3),
  /** How long a stream waits for a transcoder that is not there. */
  TRANSCODER_WAIT_MS: milliseconds(10_000),
  /** How long a transcoder that has audio to encode may give nothing back. */
  TRANSCODER_STALL_MS: milliseconds(10_000),

  /** The circuit breaker's sampling window: how far back a provider's calls count. */
  CIRCUIT_SAMPLING_WINDOW_MS: milliseconds(20_000),
  /** With fewer calls in the window the circuit stays closed. */
  CIRCUIT_MINIMUM_CALLS: count(10),
  /** The share of the calls in the window, in percent, that must fail or be slow for the circuit to open. */
  CIRCUIT_FAILURE_THRESHOLD_PERCENT: z.coerce.number().int().min(1).max(100).default(50),
  /** A call whose first audio comes later is slow. */
  CIRCUIT_SLOW_MS: milliseconds(8_000),
  /** How long the circuit opens at first; twice as long each time that it opens again soon. */
  CIRCUIT_OPEN_MS: milliseconds(5_000),
  /** How long it opens at most. */
  CIRCUIT_MAX_OPEN_MS: milliseconds(30_000),

  /** The next segment is asked for while the stream is at most this much ahead of what was sent. */
  LEAD_MS: count(30_000, 0),
  /** Most bytes on their way to a client: unacknowledged audio, or `bufferedAmount` until it acks. */
  WINDOW_BYTES: count(256 * 1024),
  /** A connection that takes nothing for this long is closed with 1013. */
  STALL_TIMEOUT_MS: milliseconds(30_000),

  /** How long a session waits for its first connection. */
  UNCLAIMED_TTL_MS: milliseconds(600_000),
  /** How long a stream goes on without its client. */
  RECONNECT_GRACE_MS: milliseconds(60_000),
  /** How long an ended session can be asked for again. */
  ENDED_TTL_MS: milliseconds(900_000),
});

export const SETTING_NAMES = Object.keys(settings.shape) as readonly (keyof Config)[];

export type Config = z.output<typeof settings>;

/**
 * @throws Error naming every wrong variable, its value and what is allowed.
 */
export function parseConfig(variables: object): Config {
  const parsed = settings.safeParse(variables);
  if (parsed.success) return parsed.data;
  const values = variables as Record<string, unknown>;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join(".")}=${JSON.stringify(values[String(path[0])])}: ${message}`,
  );
  throw new Error(`wrong configuration: ${problems.join("; ")}`);
}
