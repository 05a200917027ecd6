/** The gateway's settings: every variable, its unit and its default. */
import { z } from "zod";

/** The longest wait that timers keep everywhere, in ms (24.8 days); beyond it Node's ring at once (workerd's do not). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timeout that no engine, encoder or client could meet would make every stream fail, in ms. */
const SHORTEST_TIMEOUT_MS = 100;

/** An isolate's calls reach the circuit every 5 s (circuit-link.ts): in a shorter window, failures outweigh successes. */
const SHORTEST_SAMPLING_WINDOW_MS = 5_000;

function whole(initial: number, min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.coerce
    .string()
    .regex(/^\d+$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message))
    .default(initial);
}

function milliseconds(initial: number, min = SHORTEST_TIMEOUT_MS) {
  return whole(initial, min, LONGEST_TIMER_MS);
}

function onOff(initial: "on" | "off") {
  return z.enum(["on", "off"], "must be on or off").default(initial);
}

function voice(initial: string) {
  const message = "must be the id of a voice, of at most 200 characters";
  return z.string().trim().min(1, message).max(200, message).default(initial);
}

const ADDRESS = "must be an http or https address without a user, a query or a fragment";

/** A path is put behind it. */
const address = z.url({ protocol: /^https?$/, error: ADDRESS }).refine((value) => !/[@?#]/.test(value), ADDRESS);
const url = z.union([z.literal(""), address]).default("");

const settings = z.object({
  /** Base addresses of upstreams; empty: in a container, see CONTAINERS. */
  TRANSCODER_URL: url,
  ESPEAK_URL: url,
  COQUI_URL: url,

  /** The voice that /v1/voices lists first of each provider; one that the engine does not have changes nothing. */
  ESPEAK_VOICE: voice("en-us"),
  COQUI_VOICE: voice("coqui-en-1"),

  /** Whether an upstream without an address runs in a container; `off`: there is no such upstream. */
  CONTAINERS: onOff("on"),
  /** Most containers of each kind in one region of the world (wrangler.toml's max_instances limits all regions together). */
  CONTAINERS_PER_REGION: whole(3, 1, 100),
  /** A container that nobody has asked for so long is stopped; in less than a second it would stop within a session. */
  CONTAINER_IDLE_MS: milliseconds(300_000, 1_000),

  /** Whether a proxy is in front that ends TLS: its `X-Forwarded-Proto` decides between ws: and wss: in `ws_url`. */
  TRUST_PROXY: onOff("off"),

  /** Longest text of one request, in characters (UTF-16 code units); a stored value takes 2 MB. */
  MAX_TEXT_CHARS: whole(100_000, 1, 500_000),

  /** How long a segment's first audio may take at each request, and how long a stream waits for a busy engine in all. */
  FIRST_AUDIO_TIMEOUT_MS: milliseconds(10_000),
  /** How long the engine may pause in the middle of a segment. */
  GAP_TIMEOUT_MS: milliseconds(10_000),
  /** How long a stream waits for a provider that is gone in its middle, if no other voice can go on; 0: not at all. */
  PROVIDER_WAIT_MS: milliseconds(20_000, 0),
  /** How many requests are made for a segment; those answered "busy", and the wait above, do not count. */
  PROVIDER_ATTEMPTS: whole(3, 1, 100),
  /** How long a stream waits for a transcoder that is not there. */
  TRANSCODER_WAIT_MS: milliseconds(10_000),
  /** How long a transcoder that has audio to encode may give nothing back. */
  TRANSCODER_STALL_MS: milliseconds(10_000),

  /** The circuit breaker's sampling window: how far back a provider's calls count. */
  CIRCUIT_SAMPLING_WINDOW_MS: milliseconds(20_000, SHORTEST_SAMPLING_WINDOW_MS),
  /** With fewer calls in the window the circuit stays closed. */
  CIRCUIT_MINIMUM_CALLS: whole(10, 1, 1_000_000_000),
  /** The share of the calls in the window, in percent, that must fail or be slow for the circuit to open. */
  CIRCUIT_FAILURE_THRESHOLD_PERCENT: whole(50, 1, 100),
  /** A call whose first audio takes longer is slow, and counts as failed. */
  CIRCUIT_SLOW_MS: milliseconds(8_000),
  /** How long the circuit opens at first; each time that it opens again soon after, it is open twice as long. */
  CIRCUIT_OPEN_MS: milliseconds(5_000),
  /** The longest open time; at least CIRCUIT_OPEN_MS. */
  CIRCUIT_MAX_OPEN_MS: milliseconds(30_000),

  /** How far the recorded audio may be ahead of what was sent when the next segment is requested. */
  LEAD_MS: milliseconds(30_000, 0),
  /**
   * Most bytes on their way to a client: unacknowledged audio, or `bufferedAmount` until it acks. One message may always
   * be on its way, however large. An isolate has 128 MB for all its sessions.
   */
  WINDOW_BYTES: whole(256 * 1024, 1, 16 * 1024 * 1024),
  /** A connection that takes nothing for this long is closed with 1013. */
  STALL_TIMEOUT_MS: milliseconds(30_000),

  /** How long a session waits for its first connection. */
  UNCLAIMED_TTL_MS: milliseconds(600_000, 1_000),
  /** How long a stream goes on without its client. */
  RECONNECT_GRACE_MS: milliseconds(60_000),
  /** How long an ended session can be asked for again. */
  ENDED_TTL_MS: milliseconds(900_000, 1_000),
});

const consistentSettings = settings.superRefine(({ CIRCUIT_OPEN_MS: open, CIRCUIT_MAX_OPEN_MS: max }, context) => {
  if (open <= max) return;
  const message = `${open} is more than CIRCUIT_MAX_OPEN_MS, ${max}`;
  context.addIssue({ code: "custom", path: ["CIRCUIT_OPEN_MS"], message });
});

export const SETTING_NAMES = Object.keys(settings.shape) as readonly (keyof Config)[];

export type Config = z.output<typeof settings>;

/**
 * @throws Error naming every wrong variable, its value and what is allowed.
 */
export function parseConfig(variables: object): Config {
  const parsed = consistentSettings.safeParse(variables);
  if (parsed.success) return parsed.data;
  const values = variables as Record<string, unknown>;
  const problems = parsed.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    return `${name}${name in values ? `=${JSON.stringify(values[name])}` : ""}: ${message}`;
  });
  throw new Error(`wrong configuration: ${problems.join("; ")}`);
}
