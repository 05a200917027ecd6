import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSession, expectComplete, play } from "../support/session.ts";
import { startSupervised, type SupervisedGateway } from "../support/supervised.ts";

const ROOT = join(import.meta.dirname, "../..");

let gateway: SupervisedGateway;

beforeAll(async () => {
  gateway = await startSupervised({}, ["--watch"]);
});

afterAll(() => gateway?.stop());

/** Saves a file as it is. @returns what is said from then on, once all of these lines were. */
async function saidAfterSaving(path: string, ...expected: RegExp[]): Promise<string[]> {
  const before = gateway.lines.length;
  await utimes(join(ROOT, path), new Date(), new Date());
  await expect
    .poll(() => expected.filter((line) => !gateway.lines.slice(before).some((said) => line.test(said))))
    .toEqual([]);
  return gateway.lines.slice(before);
}

it("npm run dev starts a service again when its source changes, and no other", async () => {
  const said = await saidAfterSaving(
    "engines/espeak/voices.ts",
    /^\[espeak\] .*voices\.ts has changed/,
    /^\[espeak\] is back/,
  );
  expect(said.filter((line) => line.startsWith("[transcoder]"))).toEqual([]);
  await saidAfterSaving("transcoder/idle.ts", /^\[transcoder\] .*idle\.ts has changed/, /^\[transcoder\] is back/);
});

it("npm run dev starts every service again that a shared file is part of, and speaks on", async () => {
  // Not a file of the Worker's: the gateways of other tests would load it again too.
  await saidAfterSaving("service/http-service.ts", /^\[transcoder\] is back/, /^\[espeak\] is back/);
  await gateway.ready();
  const request = { provider: "espeak", voice: "en-us", text: "Hello.", target_format: "mp3" };
  expectComplete(await play((await createSession(gateway.url, request)).wsUrl));
});
