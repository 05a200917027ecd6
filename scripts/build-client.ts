/**
 * npm run build:client: the client library as one small file, client/dist/client.js, which the gateway serves. With
 * --package (npm pack does it) also what the npm package has: the same readable, and its types.
 */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "client/dist");

const BANNER = "/*! tts-gateway's client. SPDX-License-Identifier: Apache-2.0 */";

async function bundle(isMinified: boolean): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["client/index.ts"],
    bundle: true,
    format: "esm",
    target: "es2022", // every browser that has Promise.withResolvers (2024), and Node 22
    minify: isMinified,
    banner: { js: BANNER },
    write: false,
  });
  return outputFiles[0]!.text;
}

/** Several gateways may start at once: a file that is read elsewhere is never seen half written, nor changes for nothing. */
async function replace(name: string, text: string): Promise<void> {
  const path = join(DIST, name);
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text);
  await rename(draft, path);
}

async function emitTypes(): Promise<void> {
  const types = join(DIST, "types");
  await rm(types, { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const emit = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", types];
  execFileSync(process.execPath, [tsc, "-p", "client", ...emit], { cwd: ROOT });
}

await mkdir(DIST, { recursive: true });
const page = await bundle(true);
await replace("client.js", page);
console.log(`client.js: ${page.length} bytes, ${gzipSync(page).length} compressed`);
if (process.argv.includes("--package")) {
  await replace("index.js", await bundle(false));
  await emitTypes();
  await copyFile(join(ROOT, "LICENSE"), join(DIST, "LICENSE"));
}
