/** npm run speak. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { outputOf, ROOT, runScript } from "../support/run-script.ts";
import { useStack } from "../support/stack.ts";

const stack = useStack();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tts-speak-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const speak = (args: string[], env: Record<string, string> = {}) =>
  runScript("client/speak.ts", args, { GATEWAY_URL: stack.url, ...env });

it("npm run speak writes speech to a file, and says how it goes", async () => {
  const file = join(folder, "hello.mp3");
  const { code, stderr } = await outputOf(speak(["Hello there", "--voice", "en-us", "--format", "mp3", "-o", file]));
  expect(code).toBe(0);
  expect(stderr).toMatch(/[\d.]+ s of audio, \d+ bytes, first audio after [\d.]+ s/);
  const bytes = await readFile(file);
  expect(bytes[0]).toBe(0xff);
  expect(bytes.length).toBeGreaterThan(3000);
});

it("npm run speak writes to standard output, and takes the text from standard input", async () => {
  const child = spawn(process.execPath, ["client/speak.ts", "-", "--format", "wav", "-o", "-"], {
    cwd: ROOT,
    env: { ...process.env, GATEWAY_URL: stack.url },
  });
  child.stdin.end("Hello there");
  const { code, stdout } = await outputOf(child);
  expect(code).toBe(0);
  expect(stdout.toString("latin1", 0, 4)).toBe("RIFF");
  expect(stdout.length).toBeGreaterThan(20_000);
});

it("npm run speak writes a WAV file that says its length", async () => {
  const file = join(folder, "hello.wav");
  expect((await outputOf(speak(["Hello there", "-o", file]))).code).toBe(0);
  const bytes = await readFile(file);
  expect(bytes.length).toBeGreaterThan(20_000);
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  expect(bytes.readUInt32LE(40)).toBe(bytes.length - 44);
});

it("npm run speak explains itself, and what is wrong", async () => {
  expect((await outputOf(speak(["--help"]))).stdout.toString()).toContain("npm run speak");
  const cases: [string[], RegExp][] = [
    [[], /TEXT/],
    [["a", "b"], /TEXT/],
    [["Hello", "--format", "vorbis"], /pcm16/],
    [["Hello", "-o", join(folder, "hello.xyz")], /end it in \.pcm, .*\.mp3.* --format/],
    [["Hello", "--voice", "nobody"], /--list/],
    [["Hello", "--rate", "1"], /sample_rate_hz: 1 is not possible/],
    [["Hello", "--url", "http://127.0.0.1:9"], /npm start/],
    [["Hello", "--wrong"], /--wrong/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await outputOf(speak(args));
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
  }
});
