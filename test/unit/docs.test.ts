/** The documents name what the code has. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FORMATS } from "../../protocol/formats.ts";
import { wavHeader } from "../../protocol/wav.ts";
import { CLOSE } from "../../protocol/close-codes.ts";
import { parseConfig, SETTING_NAMES } from "../../worker/config/settings.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

const foldersIn = (path: string) =>
  readdirSync(join(ROOT, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
    .map(({ name }) => name);

/** The cells of each row of a document's tables. */
const rowsOf = (document: string) =>
  [...document.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row!.split(" | ").map((cell) => cell.trim()));

describe("docs/operations.md", () => {
  const rows = rowsOf(read("docs/operations.md"));
  it.each(Object.entries(parseConfig({})))("has a row for %s with its default", (name, initial) => {
    const [, shown] = rows.find(([names]) => names!.split(", ").includes(`\`${name}\``)) ?? [];
    expect(shown?.replaceAll("`", "")).toBe(initial === "" ? "–" : String(initial));
  });

  it("has no row for a setting that is gone", () => {
    const named = rows.flatMap(([names]) => [...names!.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name));
    expect(named.filter((name) => !(SETTING_NAMES as readonly string[]).includes(name!))).toEqual([]);
  });
});

describe("docs/protocol.md", () => {
  const rows = rowsOf(read("docs/protocol.md"));
  it.each(Object.values(CLOSE))("tells when close code %d is sent", (code) => {
    expect(rows.filter(([codes]) => codes!.split(", ").includes(String(code)))).toHaveLength(1);
  });

  it("tells what the bytes of pcm16 are, and that a streamed WAV does not know its length", () => {
    const formats = rows.find(([field]) => field === "`target_format`")!.at(-1);
    expect(formats).toMatch(/mono.*pcm16 is signed 16-bit little-endian/);
    expect(formats).toContain(String(new DataView(wavHeader(8_000).buffer).getUint32(40, true)));
  });

  it.each(FORMATS)("lists the format %s", (format) => {
    expect(rows.find(([field]) => field === "`target_format`")!.at(-1)).toContain(`\`${format}\``);
  });
});

describe("CONTRIBUTING.md", () => {
  const [tree] = read("CONTRIBUTING.md").match(/^ {4}worker\/ [\s\S]*?\n\n/m)!;
  it.each(foldersIn("."))("says what %s/ is for", (folder) => {
    expect(tree).toMatch(new RegExp(`^ {4}${folder}/ {2,}\\S`, "m"));
  });

  it.each(foldersIn("worker"))("says what worker/%s/ is for", (folder) => {
    expect(tree).toMatch(new RegExp(`^ {6}${folder}/ {2,}\\S`, "m"));
  });
});
