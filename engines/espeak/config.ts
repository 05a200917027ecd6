/** The environment's settings, with every default. */

export interface Config {
  port: number;
  host: string;
  /** Synthesis threads, each with an eSpeak of its own. */
  threads: number;
  /** Requests that may be under way beyond one per thread; the next is answered 503 busy. */
  queueLimit: number;
}

/** @throws Error that names the variable, its value and what is allowed. */
export function parseConfig(env: Record<string, string | undefined>, cores: number): Config {
  const whole = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name] || String(fallback);
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
  };
  return {
    port: whole("PORT", 8791, 0, 65_535),
    host: env.HOST || "127.0.0.1",
    threads: whole("THREADS", cores, 1, 256),
    queueLimit: whole("QUEUE_LIMIT", 64, 0, 10_000),
  };
}
