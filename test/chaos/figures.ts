/** What the runs brought, as tables: printed, and at full size kept in docs/reliability.md. */
import { readFile, writeFile } from "node:fs/promises";
import { report } from "../support/report.ts";
import { isFullSize, only, seed } from "./settings.ts";

const FILE = new URL("../../docs/reliability.md", import.meta.url);

type Cell = string | number;

function line(cells: readonly Cell[]): string {
  return `| ${cells.join(" | ")} |`;
}

export interface Figures {
  header: readonly string[];
  rows: readonly Cell[][];
  /** What stands below the table. */
  below: string;
}

/** @param section the name between the markers of docs/reliability.md. */
export async function publish(section: string, { header, rows, below }: Figures): Promise<void> {
  const table = [line(header), line(header.map(() => "---")), ...rows.map(line), "", below];
  report(`chaos, ${section}, seed ${seed}:`);
  table.forEach(report);
  if (!isFullSize || only !== undefined) return;
  const [from, to] = [`<!-- chaos:${section} -->`, `<!-- /chaos:${section} -->`];
  const text = await readFile(FILE, "utf8");
  const [before, after] = [text.split(from)[0]!, text.split(to)[1]];
  if (after === undefined) throw new Error(`docs/reliability.md has no place for ${section}`);
  await writeFile(FILE, `${before}${from}\n${table.join("\n")}\n${to}${after}`);
}

/** A tally for each name. */
export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  of(name: string): Tally {
    let tally = this.#tallies.get(name);
    if (!tally) this.#tallies.set(name, (tally = new Tally()));
    return tally;
  }

  rows(row: (tally: Tally) => Cell[]): Cell[][] {
    const byName = [...this.#tallies].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return byName.map(([name, tally]) => [name, ...row(tally)]);
  }
}

/** Counts by name, as "12 complete, 3 busy". */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, this.of(name) + count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All but `others`, the most frequent first, as "12 complete; 3 busy". */
  others(...others: readonly string[]): string {
    const rest = [...this.#counts].filter(([name]) => !others.includes(name)).toSorted(([, a], [, b]) => b - a);
    return rest.map(([name, count]) => `${count} ${name}`).join("; ");
  }
}
