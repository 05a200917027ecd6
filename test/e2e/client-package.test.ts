/** The client library as others have it: as an npm package. The file that the gateway serves is run by snippets.test.ts. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../support/run-script.ts";
import { useStack } from "../support/stack.ts";

const stack = useStack();

/** The first example of a document, as it stands there, but for the gateway's address. */
async function exampleOf(document: string): Promise<string> {
  const text = await readFile(join(ROOT, document), "utf8");
  const [example] = /^ {4}import .*\n(?:(?: {4}.*)?\n)+/m.exec(text)!;
  return example.replaceAll(/^ {4}/gm, "").replaceAll("http://localhost:8787", stack.url);
}

describe("the npm package, in an empty project", () => {
  let project: string;
  const run = (command: string, ...args: string[]) => spawnSync(command, args, { cwd: project, encoding: "utf8" });
  const compile = (...options: string[]) => {
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    return run(process.execPath, tsc, ...options);
  };

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "tts-package-"));
    execFileSync("npm", ["pack", "./client", "--silent", "--pack-destination", project], { cwd: ROOT });
    execFileSync("npm", ["init", "--yes"], { cwd: project });
    execFileSync("npm", ["pkg", "set", "type=module"], { cwd: project });
    execFileSync("npm", ["install", "--offline", "./tts-gateway-client-0.1.0.tgz"], { cwd: project });
    compile("--init");
    await writeFile(join(project, "hello.ts"), await exampleOf("client/README.md"));
  });
  afterAll(() => rm(project, { recursive: true }));

  it.each([
    ["of tsc --init", []],
    ["of tsc --init, and the library's own types checked", ["--skipLibCheck", "false"]],
    ["for a bundler", ["--module", "esnext", "--moduleResolution", "bundler"]],
    ["of an older target", ["--target", "es2022", "--lib", "es2022,dom"]],
  ])("its types resolve with the settings %s", (_, options) => {
    const { status, stdout } = compile("--noEmit", ...options);
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("its types say what the gateway would refuse", async () => {
    await writeFile(join(project, "wrong.ts"), (await exampleOf("client/README.md")).replace('"mp3"', '"ogg"'));
    const { stdout } = compile("--noEmit", "--pretty", "false");
    await rm(join(project, "wrong.ts"));
    expect(stdout.split("\n").filter((line) => line.includes("error"))).toEqual([
      expect.stringMatching(/^wrong\.ts\(4,.*"ogg"' is not assignable to type/),
    ]);
  });

  it("its first example runs on Node, and hears the gateway", () => {
    compile();
    const { stdout, stderr } = run(process.execPath, "hello.js");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^1 \d+\n2 \d+\n3 \d+\n/);
  });

  it("has its licence and its types, and nothing of the command line or the gateway", () => {
    const listing = run("tar", "-tzf", "tts-gateway-client-0.1.0.tgz").stdout.trim().split("\n").toSorted();
    expect(listing).toContain("package/dist/LICENSE");
    expect(listing).toContain("package/dist/types/client/index.d.ts");
    expect(listing.filter((name) => /cli\/|speak|worker|\.map$|(?<!\.d)\.ts$/.test(name))).toEqual([]);
  });
});
