/** docs/client.md, and the doc comments that it is made of. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { apiPage, type ApiPage } from "../../../scripts/client-docs.ts";

const ROOT = join(import.meta.dirname, "../../..");

function pageOf(source: string): ApiPage {
  const folder = mkdtempSync(join(tmpdir(), "api-page-"));
  writeFileSync(join(folder, "tsconfig.json"), '{ "files": ["index.ts"] }');
  writeFileSync(join(folder, "index.ts"), source);
  try {
    return apiPage(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("is what the doc comments say now; npm run docs:client makes it", () => {
  expect(readFileSync(join(ROOT, "docs/client.md"), "utf8")).toBe(apiPage(join(ROOT, "client")).markdown);
});

it("every name that the library exports has a doc comment, and every member of it", () => {
  expect(apiPage(join(ROOT, "client")).undocumented).toEqual([]);
});

it("finds each name without one, of a class, an interface, a type, a function and a constant", () => {
  const { undocumented } = pageOf(`
    export class Player {
      volume = 1;
      /** Plays. */
      play(): void {}
      stop(): void {}
      #secret(): void {}
    }
    interface Base {
      id: string;
    }
    /** One with a part that it inherits. */
    export interface Song extends Base {
      /** Its name. */
      name: string;
      year?: number;
    }
    export type Kind = "a" | "b";
    export function start(): void {}
    export const LIMIT = 1;
    /** This one has its own. */
    export type Other = Kind;
  `);
  expect(undocumented.toSorted()).toEqual(
    ["Kind", "LIMIT", "Player", "Player.stop", "Player.volume", "Song.id", "Song.year", "start"].toSorted(),
  );
});

it("tells a method without its body, an alias by its alternatives, a bar in a table as one", () => {
  const { markdown } = pageOf(`
    const KINDS = ["a", "b"] as const;
    /** A kind. */
    export type Kind = (typeof KINDS)[number];
    /** A player. */
    export class Player {
      /** How loud; null: silent. */
      volume: number | null = null;
      /**
       * Plays a song.
       * @param song its name.
       * @returns how long it was, in ms
       */
      async play(
        song: string,
        again = false,
      ): Promise<number> {
        return again ? 2 : song.length;
      }
    }
  `);
  expect(markdown).toContain('    type Kind = "a" | "b"\n');
  expect(markdown).toContain("| `volume` | `number \\| null` | How loud; null: silent. |");
  expect(markdown).toContain(
    "    play(song: string, again = false): Promise<number>\n\nPlays a song.\n\n- `song`: its name.\n- Returns how long it was, in ms.",
  );
});
