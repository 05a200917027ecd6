/** eSpeak remembers what it spoke; the engine says the same for the same request all the same. */
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import loadEspeak from "@echogarden/espeak-ng-emscripten";
import { describe, expect, onTestFinished, test } from "vitest";
import { HeapSnapshot } from "../../engines/espeak/heap-snapshot.ts";
import { heapText } from "../../engines/espeak/heap-text.ts";
import { startEspeak } from "../../engines/espeak/server.ts";
import { runEspeak } from "./espeak-process.ts";
import { identity, post, speak, until, info, untilFirstAudio, untilReady, voices } from "./speech.ts";

const TEXT = "Hello 42 people 😀! 今天 Привет नमस्ते café…";

/** As long as a text may be, and of its widest letters: it takes the most memory. */
const LONGEST = "好".repeat(3000);

async function started(threads: number): Promise<string> {
  const engine = await startEspeak({ port: 0, host: "127.0.0.1", threads, queueLimit: 16 });
  onTestFinished(() => engine.close(0));
  await untilReady(engine.url);
  return engine.url;
}

/** Asks for a text and leaves at its first audio. */
async function breakOff(url: string, text: string, voice: string): Promise<void> {
  const client = new AbortController();
  await untilFirstAudio(await post(url, { text, voice }, client.signal));
  client.abort();
}

describe("eSpeak says the same", () => {
  test("in every voice, on every thread, in a process that spoke other things before and broke them off", async () => {
    const [url, other] = await Promise.all([started(2), runEspeak({ LANG: "de_DE.UTF-8" }).then((run) => run.url)]);
    const ids = (await voices(url)).map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(100);
    const first = new Map<string, unknown>();
    for (const voice of ids) first.set(voice, identity(await speak(url, { text: TEXT, voice })));
    const again = async (at: string, voice: string) => {
      const spoken = identity(await speak(at, { text: TEXT, voice }));
      expect({ voice, ...spoken }).toEqual({ voice, ...(first.get(voice) as typeof spoken) });
    };
    for (const voice of ids.toReversed()) {
      await breakOff(other, TEXT, voice);
      await Promise.all([again(other, voice), again(url, voice)]);
    }
  }, 240_000);

  test("after a text as long as may be, also one broken off", async () => {
    const url = await started(1);
    const before = identity(await speak(url, { text: TEXT, voice: "ru" }));
    await breakOff(url, LONGEST, "cmn");
    expect(identity(await speak(url, { text: TEXT, voice: "ru" }))).toEqual(before);
    const long = identity(await speak(url, { text: LONGEST, voice: "cmn" }));
    expect(identity(await speak(url, { text: TEXT, voice: "ru" }))).toEqual(before);
    expect(identity(await speak(url, { text: LONGEST, voice: "cmn" }))).toEqual(long);
  });

  test("after a thread has died and another has taken its place", async () => {
    const threads: Worker[] = [];
    const onWorker = (worker: Worker) => threads.push(worker);
    process.on("worker", onWorker);
    onTestFinished(() => void process.off("worker", onWorker));
    const url = await started(1);
    const before = identity(await speak(url, { text: TEXT, voice: "de" }));
    const lost = speak(url, { text: LONGEST, voice: "cmn" });
    await until("it speaks", async () => (await info(url)).syntheses_active === 1);
    const exit = once(threads[0]!, "exit");
    await threads[0]!.terminate();
    await exit;
    expect((await lost).error?.reason).toBe("engine_crashed");
    expect(identity(await speak(url, { text: TEXT, voice: "de" }))).toEqual(before);
    expect(threads).toHaveLength(2);
  });
});

describe("a snapshot of eSpeak's heap", () => {
  test("is restored also when the heap has grown since", async () => {
    const module = await loadEspeak({ print: () => {}, printErr: () => {} });
    const espeak = new module.eSpeakNGWorker();
    function spoken(): number[] {
      expect(espeak.set_voice("gmw/en-US")).toBe(0);
      const samples: number[] = [];
      espeak.synthesize_and_get_phonemes(heapText(module, "Once more, please."), (audio) => {
        for (const sample of audio) samples.push(sample);
        return false;
      });
      return samples;
    }
    spoken();
    const snapshot = new HeapSnapshot(module);
    const before = spoken();
    const size = module.HEAPU8.length;
    heapText(module, "\u00ff".repeat(size));
    expect(module.HEAPU8.length).toBeGreaterThan(2 * size);
    snapshot.restore();
    expect(module.HEAPU8.indexOf(0xc3, size)).toBe(-1); // as zero as freshly grown
    expect(spoken()).toEqual(before);
  });
});
