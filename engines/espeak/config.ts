/** The environment's settings, with every default. */
import { wholeNumber, type Environment } from "../../service/whole-number.ts";

export interface Config {
  port: number;
  host: string;
  /** Synthesis threads, each with an eSpeak of its own. */
  threads: number;
  /** Requests that may be under way beyond one per thread; the next is answered 503 busy. */
  queueLimit: number;
}

/** @throws RangeError that names the variable, its value and what is allowed. */
export function parseConfig(env: Environment, cores: number): Config {
  return {
    port: wholeNumber(env, "PORT", 8791, 0, 65_535),
    host: env.HOST || "127.0.0.1",
    threads: wholeNumber(env, "THREADS", cores, 1, 256),
    queueLimit: wholeNumber(env, "QUEUE_LIMIT", 64, 0, 10_000),
  };
}
