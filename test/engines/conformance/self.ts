/** Engine contract: what an engine says of itself. */
import { describe, expect, test } from "vitest";
import { RATE_RANGE_HZ } from "../../../protocol/formats.ts";
import { isScript } from "../../../protocol/scripts.ts";
import { info, speak, untilIdle, voices } from "../speech.ts";
import type { Subject } from "./subject.ts";

export function describeSelf(subject: Subject): void {
  describe("it says", () => {
    test("that it is alive and ready", async () => {
      for (const path of ["/healthz", "/readyz"]) {
        expect((await fetch(new URL(path, subject.url))).status, `the status of ${path}`).toBe(200);
      }
    });

    test("what it is", () => {
      const { about } = subject;
      expect(about).toMatchObject({
        engine: expect.stringMatching(/./),
        version: expect.stringMatching(/./),
        streaming: expect.stringMatching(/^(native|sentence)$/),
        repeatable: expect.any(Boolean),
      });
      expect(about.max_chars, "max_chars").toBeGreaterThanOrEqual(100);
      for (const count of ["max_chars", "syntheses_started", "syntheses_active", "queued"] as const) {
        expect(about[count], `the number ${count}`).toSatisfy((value) => Number.isSafeInteger(value) && value >= 0);
      }
    });

    test("a sample rate that every format can carry", () => {
      const { sample_rate: rateHz } = subject.about;
      expect(rateHz, "sample_rate in Hz, a whole number").toSatisfy(Number.isInteger);
      expect(rateHz, "sample_rate in Hz").toBeGreaterThanOrEqual(RATE_RANGE_HZ.min);
      expect(rateHz, "sample_rate in Hz").toBeLessThanOrEqual(RATE_RANGE_HZ.max);
    });

    test("its voices, with unique ids and canonical languages", async () => {
      const listed = await voices(subject.url);
      expect(listed.length, "voices listed").toBeGreaterThan(0);
      expect(new Set(listed.map(({ id }) => id)).size, "different ids of as many voices").toBe(listed.length);
      for (const { id, name, language, languages = [language], scripts = ["Latn"] } of listed) {
        expect(scripts.length, `scripts of ${id}`).toBeGreaterThan(0);
        for (const script of scripts) expect(script, `a script of ${id}, in ISO 15924`).toSatisfy(isScript);
        expect(id, "a voice's id").toMatch(/^\S+$/);
        expect(name, `the name of ${id}`).toMatch(/\S/);
        expect(languages, `the languages of ${id}`).toContain(language);
        const canonical = Intl.getCanonicalLocales([language, ...languages]);
        expect(canonical, `the languages of ${id}, canonical`).toEqual([...new Set([language, ...languages])]);
      }
    });

    test("how many syntheses it began, and that none is left", async () => {
      const { url, text, voice } = subject;
      await untilIdle(url);
      const { syntheses_started: before } = await info(url);
      await speak(url, { text, voice });
      await untilIdle(url);
      expect((await info(url)).syntheses_started, "syntheses_started, one request later").toBe(before + 1);
    });
  });
}
