import { availableParallelism } from "node:os";
import { wholeNumber, type Environment } from "../service/whole-number.ts";

export interface Limits {
  /** How long a stream may wait for input before it ends with an error, in ms. */
  inputIdleMs: number;
  /** How long a reader may leave output lying before it is cut off, in ms. */
  outputStalledMs: number;
}

export interface Config extends Limits {
  /** 0: any free port. */
  port: number;
  host: string;
  /** Processes that encode, beside the one that supervises them. */
  processes: number;
}

export const DEFAULT_LIMITS: Limits = { inputIdleMs: 120_000, outputStalledMs: 300_000 };

/** Longest time a timer of Node's takes, in ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The process's settings: PORT, HOST, PROCESSES, INPUT_IDLE_MS, OUTPUT_STALLED_MS.
 * @throws RangeError naming the variable and what is allowed.
 */
export function parseConfig(env: Environment): Config {
  return {
    port: wholeNumber(env, "PORT", 8790, 0, 65_535),
    host: env.HOST || "127.0.0.1",
    processes: wholeNumber(env, "PROCESSES", availableParallelism(), 1, 1024),
    inputIdleMs: wholeNumber(env, "INPUT_IDLE_MS", DEFAULT_LIMITS.inputIdleMs, 1, MAX_TIMER_MS),
    outputStalledMs: wholeNumber(env, "OUTPUT_STALLED_MS", DEFAULT_LIMITS.outputStalledMs, 1, MAX_TIMER_MS),
  };
}
