/** The linter's boundaries: imports against the arrows, planted in a copy of the tree. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const FOLDERS = ["client", "engines/espeak", "protocol", "service", "transcoder", "worker"];
const FILES = ["oxlint.config.ts", "package.json", "tsconfig.json", "tsconfig.base.json"];

let house: string;

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), "house-"));
  for (const part of [...FOLDERS, ...FILES]) cpSync(join(ROOT, part), join(house, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(house, "node_modules"));
});

afterAll(() => rmSync(house, { recursive: true }));

/** What the linter says of the copy, with these files written into it for as long. */
function lint(planted: Record<string, string>): string[] {
  for (const [path, source] of Object.entries(planted)) {
    mkdirSync(join(house, dirname(path)), { recursive: true });
    writeFileSync(join(house, path), source);
  }
  const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
  const { stdout, stderr } = spawnSync(process.execPath, [oxlint, "--format=unix"], { cwd: house, encoding: "utf8" });
  for (const path of Object.keys(planted)) {
    if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(house, path));
    else rmSync(join(house, path));
  }
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line.includes("[Error/"));
}

const importOf = (from: string, to: string) => relative(dirname(from), to).replace(/^(?!\.)/, "./");

/** Who imports whom, against the arrows. */
const REFUSED: [from: string, to: string][] = [
  ["worker/base", "worker/config"],
  ["worker/config", "worker/providers"],
  ["worker/text", "worker/breaker"],
  ["worker/text", "worker/config/config.ts"],
  ["worker/breaker", "worker/upstreams"],
  ["worker/upstreams", "worker/text"],
  ["worker/upstreams/containers", "worker/providers"],
  ["worker/upstreams/containers", "worker/index.ts"],
  ["worker/providers", "worker/storage"],
  ["worker/storage", "worker/synthesis"],
  ["worker/synthesis", "worker/delivery"],
  ["worker/synthesis", "worker/session"],
  ["worker/delivery", "worker/synthesis"],
  ["worker/message-log", "worker/delivery"],
  ["worker/message-log", "worker/config/config.ts"],
  ["worker/providers", "worker/message-log"],
  ["worker/delivery", "worker/config/config.ts"],
  ["worker/session", "worker/api/native"],
  ["worker/session", "worker/metrics"],
  ["worker/api/native", "worker/access"],
  ["worker/api/native", "worker/index.ts"],
  ["worker/providers", "client"],
  ["worker/synthesis", "transcoder"],
  ["worker/upstreams", "service"],
  ["worker/api/native", "test"],
  ["client", "worker/base"],
  ["client", "service"],
  ["client/stream", "worker/base"],
  ["client/stream", "client/cli"],
  ["client/stream", "client/index.ts"],
  ["client/cli", "client/stream"],
  ["client/cli", "client/tts-client.ts"],
  ["transcoder", "worker/upstreams"],
  ["transcoder", "engines/espeak"],
  ["engines/espeak", "worker/base"],
  ["engines/espeak", "transcoder"],
  ["service", "worker/base"],
  ["service", "transcoder"],
  ["protocol", "service"],
  ["protocol", "worker/base"],
];

const ALLOWED: [from: string, to: string][] = [
  ["worker/api/native", "worker/session"],
  ["worker/api/native", "worker/base"],
  ["worker/session", "worker/synthesis"],
  ["worker/session", "worker/delivery"],
  ["worker/synthesis", "worker/storage"],
  ["worker/synthesis", "worker/message-log"],
  ["worker/delivery", "worker/message-log"],
  ["worker/delivery", "protocol"],
  ["worker/providers", "worker/upstreams/containers"],
  ["worker/upstreams/containers", "worker/upstreams"],
  ["worker/upstreams/containers", "worker/config/config.ts"],
  ["worker/config", "worker/base"],
  ["client", "protocol"],
  ["client", "client/stream"],
  ["client/stream", "protocol"],
  ["client/cli", "client/index.ts"],
  ["engines/espeak", "service"],
  ["transcoder", "protocol"],
];

const target = (folder: string) => (folder.endsWith(".ts") ? folder : `${folder}/planted-target.ts`);

/** Each import in a file of its own, named by its number. */
function plant(imports: readonly [from: string, to: string][], statement: (path: string) => string) {
  const planted: Record<string, string> = {};
  for (const [index, [from, to]] of imports.entries()) {
    const file = `${from}/planted-${index}.ts`;
    planted[file] = statement(importOf(file, target(to)));
    if (!to.endsWith(".ts")) planted[target(to)] = "export interface Target {}\nexport const target = 1;\n";
  }
  return planted;
}

describe("the linter", () => {
  it("refuses each import against the arrows, a type's too", () => {
    for (const statement of [
      (path: string) => `export { target } from "${path}";\n`,
      (path: string) => `export type { Target } from "${path}";\n`,
      (path: string) => `import { target } from "${path}";\nexport const twice = 2 * target;\n`,
      (path: string) => `export const later = () => import("${path}");\n`,
    ]) {
      const refused = lint(plant(REFUSED, statement)).filter((line) => line.includes("no-restricted-imports"));
      expect(new Set(refused.map((line) => line.split(":")[0]))).toEqual(
        new Set(REFUSED.map(([from], index) => `${from}/planted-${index}.ts`)),
      );
    }
  });

  it("allows an import along the arrows", () => {
    expect(
      lint(plant(ALLOWED, (path) => `export { target } from "${path}";\n`)).filter((line) =>
        line.includes("restricted"),
      ),
    ).toEqual([]);
  });

  it.each([
    "worker/synthesis/planted.ts",
    "worker/delivery/planted.ts",
    "worker/text/planted.ts",
    "worker/config/settings.ts",
  ])("keeps Cloudflare's API out of pure logic: %s", (path) => {
    const errors = lint({ [path]: 'import { env } from "cloudflare:workers";\nexport const all = env;\n' });
    expect(errors.filter((line) => line.startsWith(path) && line.includes("cloudflare:workers"))).toHaveLength(1);
  });

  it("refuses a cycle, of types too", () => {
    const errors = lint({
      "worker/text/one.ts": 'import type { Two } from "./two.ts";\nexport type One = Two | 1;\n',
      "worker/text/two.ts": 'import type { One } from "./one.ts";\nexport type Two = One | 2;\n',
    });
    expect(errors.filter((line) => line.includes("no-cycle"))).toHaveLength(2);
  });

  it("refuses a file of 251 lines", () => {
    const lines = (count: number) => "// a line\n".repeat(count - 1) + "export const last = 1;\n";
    const tooLong = (count: number) =>
      lint({ "protocol/long.ts": lines(count) }).filter((line) => line.includes("max-lines"));
    expect(tooLong(250)).toEqual([]);
    expect(tooLong(251)).toHaveLength(1);
  });
});
