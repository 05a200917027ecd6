/** Every block of the documents that can be run, run as it stands there; only the gateway's address is another. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPage } from "../support/page.ts";
import { outputOf, ROOT } from "../support/run-script.ts";
import { snippetsOf, type Snippet } from "../support/snippets.ts";
import { useStack } from "../support/stack.ts";

const DOCUMENTS = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)]
  .filter((path) => path.endsWith(".md"))
  .map((path) => ({ path, snippets: snippetsOf(readFileSync(join(ROOT, path), "utf8")) }))
  .filter(({ snippets }) => snippets.length > 0);

/** Python with the one package that the quickstart names; kept between runs. */
const VENV = join(ROOT, "node_modules/.cache/quickstart-python");

/** Less than any speech here has, in any format. */
const LEAST_BYTES = 2_000;

/** What a player is, to a test: a program that takes all that it is given. */
const PLAYER = "#!/bin/sh\nexec cat > played\n";

const stack = useStack();
let folder: string;
let hasPython = false;

async function preparePython(): Promise<boolean> {
  if (existsSync(join(VENV, "ready"))) return true;
  const commands = `python3 -m venv "${VENV}" && "${VENV}/bin/pip" install --quiet websockets && touch "${VENV}/ready"`;
  const { code, stderr } = await outputOf(spawn("sh", ["-c", commands]));
  if (code !== 0) console.error(`no Python to run the snippets with: ${stderr}`);
  return code === 0;
}

/** A folder that is the repository's in all but what the snippets write. */
async function copyOfRoot(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "tts-snippets-"));
  for (const name of await readdir(ROOT)) if (!name.startsWith(".")) await symlink(join(ROOT, name), join(copy, name));
  await mkdir(join(copy, "bin"));
  for (const player of ["aplay", "mpv", "ffplay"]) await writeFile(join(copy, "bin", player), PLAYER, { mode: 0o755 });
  return copy;
}

beforeAll(async () => {
  [folder, hasPython] = await Promise.all([copyOfRoot(), preparePython()]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function run(text: string) {
  const path = [join(folder, "bin"), dirname(process.execPath), join(VENV, "bin"), process.env.PATH].join(":");
  const env = { ...process.env, PATH: path, GATEWAY_URL: stack.url, npm_lifecycle_event: undefined };
  return outputOf(spawn("bash", ["-eo", "pipefail", "-c", text], { cwd: folder, env }));
}

async function playPage(html: string): Promise<void> {
  const page = openPage(html);
  await page.elements.get("speak")!.onclick!();
  await expect.poll(() => page.elements.get("status")!.textContent).toMatch(/^\d+ ms of audio$/);
  const samples = page.scheduled.reduce((sum, piece) => sum + piece.samples.length, 0);
  const milliseconds = Number.parseInt(page.elements.get("status")!.textContent, 10);
  expect(Math.abs((samples * 1000) / page.rateHz - milliseconds)).toBeLessThanOrEqual(1);
  const loudest = Math.max(...page.scheduled.map((piece) => Math.max(...piece.samples)));
  expect(loudest).toBeGreaterThan(0.1);
  expect(loudest).toBeLessThanOrEqual(1);
  for (const [i, { start, samples: before }] of page.scheduled.slice(0, -1).entries()) {
    expect(page.scheduled[i + 1]!.start, "a piece begins where the one before ends").toBeCloseTo(
      start + before.length / page.rateHz,
      6,
    );
  }
  expect(page.sent[0]).toBe('{"type":"ack","seq":1}');
}

/** Node imports nothing by its address: it is given the file's text, whose own imports it could not find either. */
async function runPageScript(html: string): Promise<string> {
  const address = `${stack.url}/client.js`;
  const response = await fetch(address, { headers: { origin: "http://localhost:3000" } });
  expect(response.headers.get("access-control-allow-origin"), "a page may import it from elsewhere").toBe("*");
  const file = `data:text/javascript;base64,${Buffer.from(await response.text()).toString("base64")}`;
  const [, script] = /<script type="module">(.*)<\/script>/s.exec(html)!;
  const path = join(folder, "script.mjs");
  await writeFile(path, script!.replace(address, file));
  const { stdout, stderr } = await outputOf(spawn(process.execPath, [path]));
  expect(stderr).toBe("");
  return stdout.toString();
}

async function check({ mark, what, text }: Snippet): Promise<void> {
  if (mark === "file" || mark === "page") await writeFile(join(folder, what), text);
  if (mark === "page") return playPage(text);
  if (mark === "file") return;
  if (mark === "script") {
    expect(await runPageScript(text)).toContain(what);
    return;
  }
  if (mark === "makes") await rm(join(folder, what), { force: true });
  const { code, stdout, stderr } = await run(text);
  if (code !== 0) throw new Error(stderr);
  if (mark === "prints") expect(stdout.toString()).toContain(what);
  else expect((await stat(join(folder, what))).size).toBeGreaterThan(LEAST_BYTES);
}

describe.each(DOCUMENTS)("$path", ({ snippets }) => {
  it.for(snippets.filter(({ mark }) => mark !== "not run"))("line $line $mark $what", async (snippet, { skip }) => {
    const text = snippet.text.replaceAll("http://localhost:8787", stack.url);
    if (text.startsWith("python3 ")) skip(!hasPython, "there is no Python with the package websockets");
    await expect(check({ ...snippet, text })).resolves.toBeUndefined();
  });
});
