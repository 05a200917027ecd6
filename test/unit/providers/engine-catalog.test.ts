import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EngineProvider } from "../../../worker/providers/engine.ts";
import { fakeServer, json, stream, type Answer } from "../fake-server.ts";

const never = new AbortController().signal;

beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const logged = () => vi.mocked(console.log).mock.calls.flat().join();

const engine =
  (infoAnswer: Answer, voicesAnswer: Answer): Answer =>
  (request, response) =>
    (request.url === "/v1/info" ? infoAnswer : voicesAnswer)(request, response);

async function catalog(answer: Answer, signal = never) {
  await using server = await fakeServer(answer);
  return await new EngineProvider("fake", server).catalog(signal);
}

describe("an engine's catalog", () => {
  const voices = [
    { id: "a", name: "Anna", language: "en-us", languages: ["en_GB", "en-us", "!"], extra: 1 },
    { id: "b", language: "de", scripts: ["Latn", "Nonsense", "Xxxx", "Grek"] },
    { id: "c", language: "no language at all" },
  ];
  const info = { sample_rate: 22_050, max_chars: 400, engine: "fake" };

  it("holds its voices with their languages in canonical spelling", async () => {
    expect(await catalog(engine(json(info), json({ voices })))).toEqual({
      voices: [
        { id: "a", name: "Anna", languages: ["en-US", "en-GB"] },
        { id: "b", name: "b", languages: ["de"], scripts: ["Latn", "Grek"] },
      ],
      sampleRateHz: 22_050,
      maxChars: 400,
    });
  });

  it("begins with the voice that the gateway is set up with, and keeps the engine's order otherwise", async () => {
    await using server = await fakeServer(engine(json(info), json({ voices })));
    const ids = async (firstVoice: string) =>
      (await new EngineProvider("fake", server, firstVoice).catalog(never)).voices.map(({ id }) => id);
    expect(await ids("b")).toEqual(["b", "a"]);
    expect(await ids("nobody")).toEqual(["a", "b"]);
  });

  it.each([
    ["is loading", engine(json({}, 503), json({ voices }))],
    ["says no JSON", engine(json(info), stream(Uint8Array.of(1)))],
  ])("cannot be had when the engine %s", async (_, answer) => {
    await expect(catalog(answer)).rejects.toMatchObject({ failure: { reason: "not_ready" } });
  });

  it.each([
    [{ sample_rate: 1 }, "sample_rate=1"],
    [{ sample_rate: 7_999 }, "sample_rate=7999"],
    [{ sample_rate: 48_001 }, "sample_rate=48001"],
    [{ sample_rate: 22_050.5 }, "sample_rate=22050.5"],
    [{ sample_rate: "fast" }, 'sample_rate="fast"'],
    [{ sample_rate: undefined }, "sample_rate=undefined"],
    [{ max_chars: 0 }, "max_chars=0"],
    [{ max_chars: -1 }, "max_chars=-1"],
  ])("is refused when it says %j, and the log names the value", async (wrong, named) => {
    const failure = catalog(engine(json({ ...info, ...wrong }), json({ voices })));
    await expect(failure).rejects.toMatchObject({ failure: { reason: "misconfigured" } });
    const line = JSON.parse(logged()) as unknown;
    expect(line).toMatchObject({ event: "provider_misconfigured", provider: "fake", value: named });
  });

  it.each([8_000, 48_000])("may have a rate of %i Hz, and take one character at a time", async (sampleRateHz) => {
    const extreme = { sample_rate: sampleRateHz, max_chars: 1 };
    expect(await catalog(engine(json(extreme), json({ voices })))).toMatchObject({ sampleRateHz, maxChars: 1 });
  });

  it.each([401, 402, 403, 407])("cannot be had with %i: the gateway's setup is wrong", async (status) => {
    const answering = { fetch: async () => Response.json({ error: { message: "your key is abc" } }, { status }) };
    const failure = new EngineProvider("fake", answering).catalog(never);
    await expect(failure).rejects.toMatchObject({ failure: { reason: "misconfigured" } });
    expect(logged()).toContain(`"event":"provider_misconfigured","provider":"fake","status":${status}`);
    expect(logged()).not.toContain("abc");
  });

  it("cannot be had from an engine that does not answer in time", async () => {
    await expect(catalog(() => {}, AbortSignal.timeout(50))).rejects.toMatchObject({
      failure: { reason: "not_ready" },
    });
  });
});
