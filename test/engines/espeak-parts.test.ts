/** The parts of the eSpeak engine that need no server. */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../engines/espeak/config.ts";
import { pauseAfterMs, speakable, wordLocator } from "../../engines/espeak/spoken-text.ts";
import { ThreadCrash, ThreadPool } from "../../engines/espeak/thread-pool.ts";
import { canonicalLanguage, describeVoices, speaks } from "../../engines/espeak/voices.ts";

function tags(...names: string[]) {
  return names.map((name) => ({ priority: 5, name }));
}

/** A thread's script: ready after `body`. */
function script(body: string): URL {
  const source = `import { parentPort } from "node:worker_threads"; ${body} parentPort.postMessage({ ready: 1 });`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

async function withPool(body: string, use: (pool: ThreadPool<string, number>) => Promise<void>) {
  const pool = new ThreadPool<string, number>(script(body), 1, () => {});
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

describe("the text eSpeak reads", () => {
  test.each([
    ["plain text, <b>markup</b> & [[phonemes]]", "plain text, <b>markup</b> & [[phonemes]]"],
    ["lines\r\nand\ttabs", "lines\r\nand\ttabs"],
    ["\u000180P a command", " 80P a command"],
    ["not\0 the end", "not  the end"],
    ["\uD800 alone, \uFFFD replaced, 😀 whole", "  alone,   replaced, 😀 whole"],
  ])("%j is read as %j", (text, read) => {
    expect(speakable(text)).toBe(read);
    expect(speakable(text)).toHaveLength(text.length);
  });
});

describe("the place of a word", () => {
  test("is counted in UTF-16 units, which are more than characters after an emoji", () => {
    expect(wordLocator("😀😀 hello")(4, 5)).toEqual({ start: 5, length: 5 });
    expect(wordLocator("a 𝐛𝐨𝐥𝐝 b")(3, 4)).toEqual({ start: 2, length: 8 });
  });

  test("has no spaces round it", () => {
    expect(wordLocator("a  b ")(2, 4)).toEqual({ start: 3, length: 1 });
    expect(wordLocator("a  b")(2, 1)).toBeUndefined();
  });

  test("is given once, and never goes back", () => {
    const locate = wordLocator("42 years");
    expect(locate(1, 2)).toEqual({ start: 0, length: 2 });
    expect(locate(2, 2)).toBeUndefined();
    expect(locate(4, 5)).toEqual({ start: 3, length: 5 });
    expect(locate(1, 2)).toBeUndefined();
  });

  test("is inside the text", () => {
    expect(wordLocator("word")(1, 100)).toEqual({ start: 0, length: 4 });
    for (const position of [0, -1, 5, 6, 100]) expect(wordLocator("word")(position, 1)).toBeUndefined();
  });
});

describe("voices", () => {
  const voices = describeVoices([
    { name: "English (America)", identifier: "gmw/en-US", languages: tags("en-us", "en") },
    { name: "Cantonese", identifier: "sit/yue", languages: tags("yue", "zh-yue", "zh") },
    { name: "Cantonese, Jyutping", identifier: "sit/yue-Latn-jyutping", languages: tags("yue", "zh-yue", "zh") },
    { name: "Cherokee ", identifier: "iro/chr", languages: tags("chr-US-Qaaa-x-west") },
  ]);

  test("have eSpeak's codes for ids, unique, and canonical languages", () => {
    expect(Array.from(voices.values(), ({ voice }) => voice)).toMatchObject([
      { id: "en-us", name: "English (America)", language: "en-US" },
      { id: "yue", name: "Cantonese", language: "yue", languages: ["yue", "zh"] },
      { id: "yue-latn-jyutping", name: "Cantonese, Jyutping", language: "yue", languages: ["yue", "zh"] },
      { id: "chr-us-qaaa-x-west", name: "Cherokee", language: "chr-US" },
    ]);
  });

  test.each([
    ["en-us", "en-US"],
    ["en-gb-x-rp", "en-GB-x-rp"],
    ["en-us-nyc", "en-US"],
    ["cmn", "zh"],
    ["ru-cl", "ru"],
    ["piqd", "tlh"],
    ["!", undefined],
  ])("%s is the language %s", (code, language) => {
    expect(canonicalLanguage(code)).toBe(language);
  });

  test.each([
    ["en-us", "en", true],
    ["en-us", "EN-us", true],
    ["en-us", "en-US-x-more", true],
    ["en-us", "en-GB", false],
    ["en-us", "e", false],
    ["en-us", "eng-land", false],
    ["yue", "zh-HK", true],
    ["yue", "", false],
  ])("%s speaks %j: %s", (id, language, spoken) => {
    expect(speaks(voices.get(id)!.voice, language)).toBe(spoken);
  });
});

describe("the environment", () => {
  test("has defaults for everything", () => {
    expect(parseConfig({}, 8)).toEqual({ port: 8791, host: "127.0.0.1", threads: 8, queueLimit: 64 });
    expect(parseConfig({ PORT: "1", HOST: "::", THREADS: "2", QUEUE_LIMIT: "0" }, 8)).toEqual({
      port: 1,
      host: "::",
      threads: 2,
      queueLimit: 0,
    });
  });

  test.each([
    [{ PORT: "http" }, 'PORT must be a whole number from 0 to 65535, not "http"'],
    [{ PORT: "65536" }, 'PORT must be a whole number from 0 to 65535, not "65536"'],
    [{ THREADS: "0" }, 'THREADS must be a whole number from 1 to 256, not "0"'],
    [{ QUEUE_LIMIT: "1.5" }, 'QUEUE_LIMIT must be a whole number from 0 to 10000, not "1.5"'],
  ])("%j: %s", (env, message) => {
    expect(() => parseConfig(env, 8)).toThrow(message);
  });
});

describe("a pool of threads", () => {
  const signal = new AbortController().signal;

  test("replaces a thread that hangs when its job is cancelled", async () => {
    const hang = `parentPort.on("message", ({ task }) => {
      parentPort.postMessage(new Uint8Array(1));
      while (task === "hang");
      parentPort.postMessage({ done: true });
    });`;
    await withPool(hang, async (pool) => {
      const client = new AbortController();
      const cancelled = pool.run("hang", client.signal, () => client.abort());
      await expect(cancelled).rejects.toThrow(ThreadCrash);
      await pool.run("work", signal, () => {});
      expect(pool.started).toBe(2);
      expect(pool.active).toBe(0);
    });
  });

  test("makes a thread wait that is 4 MiB ahead of its reader, until that reads or leaves", async () => {
    const flowUrl = new URL("../../engines/espeak/piece-flow.ts", import.meta.url);
    const endless = `import { PieceFlow } from ${JSON.stringify(flowUrl)};
    parentPort.on("message", ({ flow }) => {
      const pieces = new PieceFlow(flow);
      do parentPort.postMessage(new Uint8Array(65_536)); while (pieces.proceed(65_536));
      parentPort.postMessage({ done: true });
    });`;
    await withPool(endless, async (pool) => {
      const client = new AbortController();
      const unread: (() => void)[] = [];
      const done = pool.run("", client.signal, (_, read) => unread.push(read));
      await expect.poll(() => unread.length).toBe(65);
      await pause(300);
      expect(unread).toHaveLength(65);
      for (const read of unread.splice(0, 10)) read();
      await expect.poll(() => unread.length).toBe(65);
      client.abort();
      await done;
      expect(pool.active).toBe(0);
    });
  });

  test("does nothing for a client that is gone already", async () => {
    await withPool("", async (pool) => {
      await pool.run("", AbortSignal.abort(), () => {});
      expect(pool.started).toBe(0);
    });
  });
});

describe("the pause after a text", () => {
  test.each([
    ["It is over.", 300],
    ["Is it?", 300],
    ["He said \u201cno!\u201d", 300],
    ["Wait\u2026 ", 300],
    ["\u305d\u3046\u3067\u3059\u3002", 300],
    ["\u0928\u092e\u0938\u094d\u0924\u0947\u0964", 300],
    ["First this,", 150],
    ["as follows:\n", 150],
    ["Hello there", 0],
    ["", 0],
  ])("%j: %i ms", (text, ms) => {
    expect(pauseAfterMs(text)).toBe(ms);
  });
});
