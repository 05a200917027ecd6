/** Prints what was measured, also of a test that passes. */
export function report(line: string): void {
  process.stdout.write(`    ${line}\n`);
}
