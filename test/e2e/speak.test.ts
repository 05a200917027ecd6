/** npm run speak. */
import { spawn } from "node:child_process";
import { once } from "node:events";
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
  runScript("client/cli/speak.ts", args, { GATEWAY_URL: stack.url, ...env });

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
  const child = spawn(process.execPath, ["client/cli/speak.ts", "-", "--format", "wav", "-o", "-"], {
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
    [["Hello", "-o", join(folder, "hello.m4a")], /end it in/],
    [["Hello", "--voice", "nobody"], /--list/],
    [["Hello", "--voice", "en-US"], /did you mean en-us\?/],
    [["Hello", "--voice", "de-DE"], /did you mean .*\bde\b.*\?/],
    [["Hello", "--voice", "german"], /did you mean .*\bde\b.*\?/],
    [["東京", "--voice", "ja"], /nothing_to_speak: text: voice ja cannot read it; it reads .*Hira, /],
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

it("npm run speak goes by the ending of the file, in every spelling that players know", async () => {
  const starts = { ogg: "OggS", oga: "OggS", opus: "OggS", wave: "RIFF", flac: "fLaC" };
  for (const [ending, start] of Object.entries(starts)) {
    const file = join(folder, `by-ending.${ending}`);
    expect((await outputOf(speak(["Hi", "-o", file]))).code).toBe(0);
    expect((await readFile(file)).toString("latin1", 0, 4)).toBe(start);
  }
  const sizes = await Promise.all(
    ["raw", "ulaw"].map(async (ending) => {
      const file = join(folder, `by-ending.${ending}`);
      expect((await outputOf(speak(["Hi", "-o", file]))).code).toBe(0);
      return (await readFile(file)).length;
    }),
  );
  expect(sizes[0]).toBe(sizes[1]! * 2);
});

it("npm run speak without -- says that npm took its options", async () => {
  const npm = (args: string[]) => spawn("npm", ["run", "--silent", "speak", ...args], { cwd: ROOT, env: process.env });
  for (const option of [["--voice", "de"], ["-o", "hello.mp3"], ["--url=http://127.0.0.1:9"]]) {
    const { code, stderr } = await outputOf(npm(["Hello", ...option]));
    expect(code).toBe(1);
    expect(stderr).toMatch(/npm took --?(voice|o|url) for itself; .* npm run speak -- /);
  }
  expect((await outputOf(npm(["--", "Hello", "--url=http://127.0.0.1:9"]))).stderr).toContain("unreachable");
});

it("npm run speak into a player that is not there says so, and never that it is complete", async () => {
  const child = speak(["Hello there", "--format", "wav", "-o", "-"]);
  child.stdout!.destroy();
  let stderr = "";
  child.stderr!.on("data", (data: Buffer) => (stderr += data.toString()));
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(1);
  expect(stderr).toContain("the program that reads it is not there");
  expect(stderr).not.toContain("complete");
});
