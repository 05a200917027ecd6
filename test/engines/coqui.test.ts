/** The Coqui engine, as a process on a tiny model; skipped where its Python environment has not been made. */
import { describe, expect, onTestFinished, test } from "vitest";
import { describeEngine } from "./conformance.ts";
import { hasCoqui, makeTinyModel, startCoqui } from "./coqui-process.ts";
import { identity, speak, untilReady } from "./speech.ts";

async function start(): Promise<{ url: string; close(): Promise<void> }> {
  const model = makeTinyModel();
  const engine = await startCoqui({ COQUI_CHECKPOINT: model.checkpoint, QUEUE_LIMIT: "8", MAX_CHARS: "1000" });
  const close = async () => {
    await engine.stop();
    model.remove();
  };
  return { url: engine.url, close };
}

describe.skipIf(!hasCoqui)("Coqui", () => {
  describeEngine("Coqui", {
    start,
    voice: "coqui-en-1",
    language: "en-US",
    longText: "The quick brown fox jumps over the lazy dog, and then it goes home. ".repeat(10).trim(),
    words: true,
    burst: 24,
  });

  test("says the same in another process, which spoke other things before", async () => {
    const model = makeTinyModel();
    onTestFinished(() => model.remove());
    const spoken = [];
    for (const before of [[], ["Something else. And more of it."]]) {
      const engine = await startCoqui({ COQUI_CHECKPOINT: model.checkpoint });
      onTestFinished(() => engine.stop());
      await untilReady(engine.url);
      for (const text of before) await speak(engine.url, { text, voice: "bob" });
      spoken.push(identity(await speak(engine.url, { text: "Hello there. How are you?", voice: "alice", speed: 1.2 })));
    }
    expect(spoken[1]).toEqual(spoken[0]);
  });
});
