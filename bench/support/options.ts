/** @throws Error that names the option, unless `value` is a number of at least `least`. */
export function numberOption(name: string, value: string, least: number): number {
  const number = Number(value);
  if (value.trim() !== "" && number >= least && Number.isFinite(number)) return number;
  throw new Error(`--${name}=${value} is no number of at least ${least}`);
}
