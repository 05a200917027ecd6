/** Every link of the documents that stays in this repository leads somewhere. */
import { globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENTS = globSync("{*.md,docs/**/*.md,engines/**/*.md}", {
  cwd: ROOT,
  exclude: ["**/node_modules/**", "**/.venv/**"],
});

/** The text without its code: what stands there is no link and no heading. */
const prose = (path: string) =>
  readFileSync(join(ROOT, path), "utf8")
    .replaceAll(/^```.*?^```$/gms, "")
    .replaceAll(/^ {4,}.*$/gm, "");

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(path: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of prose(path).matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const slug = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Links in prose, not in `code`. */
const linksOf = (path: string) =>
  [
    ...prose(path)
      .replaceAll(/`[^`\n]*`/g, "code")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, target]) => target!);

function isThere(from: string, link: string): boolean {
  const [path, anchor] = link.split("#");
  const target = path ? relative(ROOT, join(ROOT, dirname(from), path)) : from;
  if (!statSync(join(ROOT, target), { throwIfNoEntry: false })) return false;
  return !anchor || (target.endsWith(".md") && anchorsOf(target).has(anchor));
}

describe.each(DOCUMENTS)("%s", (document) => {
  it("links to what is there", () => {
    const inside = linksOf(document).filter((link) => !/^[a-z]+:/.test(link));
    expect(inside.filter((link) => !isThere(document, link))).toEqual([]);
  });
});

it("docs/index.md links to every document", () => {
  const linked = new Set(linksOf("docs/index.md").map((link) => join("docs", link)));
  const documents = DOCUMENTS.filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== "docs/index.md");
  expect(documents.filter((path) => !linked.has(path))).toEqual([]);
});
