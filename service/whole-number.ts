/** A setting from the environment that is a whole number. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws RangeError that names the variable, its value and what is allowed. */
export function wholeNumber(env: Environment, name: string, absent: number, min: number, max: number): number {
  const text = env[name] || String(absent);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}
