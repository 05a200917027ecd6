/** The Coqui engine, as a process on a tiny model; skipped where its Python environment has not been made. */
import { describe } from "vitest";
import { describeEngine } from "./conformance.ts";
import { hasCoqui, makeTinyModel, startCoqui } from "./coqui-process.ts";

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
});
