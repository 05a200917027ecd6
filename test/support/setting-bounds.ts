/** The smallest and the largest value of every setting that is a number, as docs/operations.md tells them. */
import type { Config } from "../../worker/config/settings.ts";

/** The longest timer that every runtime keeps, in ms. */
export const LONGEST_TIMER_MS = 2_147_483_647;

type NumericSetting = { [Name in keyof Config]: Config[Name] extends number ? Name : never }[keyof Config];

export const BOUNDS: Record<NumericSetting, readonly [min: number, max: number]> = {
  CONTAINERS_PER_REGION: [1, 100],
  CONTAINER_IDLE_MS: [1_000, LONGEST_TIMER_MS],
  MAX_TEXT_CHARS: [1, 500_000],
  FIRST_AUDIO_TIMEOUT_MS: [100, LONGEST_TIMER_MS],
  GAP_TIMEOUT_MS: [100, LONGEST_TIMER_MS],
  PROVIDER_WAIT_MS: [0, LONGEST_TIMER_MS],
  PROVIDER_ATTEMPTS: [1, 100],
  TRANSCODER_WAIT_MS: [100, LONGEST_TIMER_MS],
  TRANSCODER_STALL_MS: [100, LONGEST_TIMER_MS],
  CIRCUIT_SAMPLING_WINDOW_MS: [5_000, LONGEST_TIMER_MS],
  CIRCUIT_MINIMUM_CALLS: [1, 1_000_000_000],
  CIRCUIT_FAILURE_THRESHOLD_PERCENT: [1, 100],
  CIRCUIT_SLOW_MS: [100, LONGEST_TIMER_MS],
  CIRCUIT_OPEN_MS: [100, LONGEST_TIMER_MS],
  CIRCUIT_MAX_OPEN_MS: [100, LONGEST_TIMER_MS],
  LEAD_MS: [0, LONGEST_TIMER_MS],
  WINDOW_BYTES: [1, 16_777_216],
  STALL_TIMEOUT_MS: [100, LONGEST_TIMER_MS],
  UNCLAIMED_TTL_MS: [1_000, LONGEST_TIMER_MS],
  RECONNECT_GRACE_MS: [100, LONGEST_TIMER_MS],
  ENDED_TTL_MS: [1_000, LONGEST_TIMER_MS],
};
