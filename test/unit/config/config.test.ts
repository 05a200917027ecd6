import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { parseConfig, SETTING_NAMES } from "../../../worker/config/settings.ts";
import { BOUNDS, LONGEST_TIMER_MS } from "../../support/setting-bounds.ts";

describe("the configuration", () => {
  it("has a default for everything", () => {
    expect(parseConfig({})).toMatchObject({
      TRANSCODER_URL: "",
      ESPEAK_URL: "",
      COQUI_URL: "",
      MAX_TEXT_CHARS: 100_000,
      FIRST_AUDIO_TIMEOUT_MS: 10_000,
      GAP_TIMEOUT_MS: 10_000,
      PROVIDER_ATTEMPTS: 3,
      LEAD_MS: 30_000,
      WINDOW_BYTES: 262_144,
      STALL_TIMEOUT_MS: 30_000,
      UNCLAIMED_TTL_MS: 600_000,
      RECONNECT_GRACE_MS: 60_000,
      ENDED_TTL_MS: 900_000,
    });
    expect(Object.keys(parseConfig({}))).toEqual([...SETTING_NAMES]);
  });

  it("takes numbers as the strings that variables are, and leaves bindings alone", () => {
    const config = parseConfig({ MAX_TEXT_CHARS: "500", ESPEAK_URL: "http://localhost:5002", SESSIONS: {} });
    expect(config).toMatchObject({ MAX_TEXT_CHARS: 500, ESPEAK_URL: "http://localhost:5002" });
    expect(config).not.toHaveProperty("SESSIONS");
  });

  it.each(SETTING_NAMES.filter((name) => name.endsWith("_VOICE")))("names a wrong %s", (name) => {
    expect(parseConfig({ [name]: "a".repeat(200) })[name]).toHaveLength(200);
    for (const value of ["", " ", "a".repeat(201)]) {
      expect(() => parseConfig({ [name]: value })).toThrow(
        `${name}=${JSON.stringify(value)}: must be the id of a voice`,
      );
    }
  });

  it.each(SETTING_NAMES.filter((name) => !/_(URL|VOICE)$/.test(name)))("names a wrong %s", (name) => {
    for (const value of ["", "-1", "1.5", "1e3", " 1", "ten", "Infinity"]) {
      expect(() => parseConfig({ [name]: value })).toThrow(`${name}=${JSON.stringify(value)}: `);
    }
  });

  it.each(SETTING_NAMES.filter((name) => name.endsWith("_URL")))("names a wrong %s", (name) => {
    for (const value of [
      "localhost:5002",
      "ftp://host",
      "http://",
      "nonsense",
      "http://me:key@host",
      "http://host?a=1",
    ]) {
      expect(() => parseConfig({ [name]: value })).toThrow(`${name}=${JSON.stringify(value)}: `);
    }
  });

  it("says what addresses are", () => {
    expect(() => parseConfig({ COQUI_URL: "x" })).toThrow('COQUI_URL="x": must be an http or https address');
  });

  it("names every wrong value at once", () => {
    expect(() => parseConfig({ WINDOW_BYTES: "x", STALL_TIMEOUT_MS: "y" })).toThrow(
      /^wrong configuration: WINDOW_BYTES="x".*; STALL_TIMEOUT_MS="y"/,
    );
  });
});

describe("a setting's bounds", () => {
  const bounds = Object.entries(BOUNDS).map(([name, [min, max]]) => ({ name, min, max }));
  /** The open time must not be over the longest one. */
  const others = (name: string, value: number) => {
    if (name === "CIRCUIT_OPEN_MS") return { CIRCUIT_MAX_OPEN_MS: Math.max(value, 30_000) };
    return name === "CIRCUIT_MAX_OPEN_MS" ? { CIRCUIT_OPEN_MS: 100 } : {};
  };

  it("are known for every number", () => {
    const numbers = Object.entries(parseConfig({})).filter(([, value]) => typeof value === "number");
    expect(bounds.map(({ name }) => name)).toEqual(numbers.map(([name]) => name));
  });

  it.each(bounds)("$name may be $min and $max, and nothing beyond", ({ name, min, max }) => {
    for (const value of [min, max]) {
      expect(parseConfig({ ...others(name, value), [name]: String(value) })).toMatchObject({ [name]: value });
    }
    for (const value of [min - 1, max + 1]) {
      const message = `wrong configuration: ${name}="${value}": must be a whole number from ${min} to ${max}`;
      expect(() => parseConfig({ [name]: String(value) })).toThrow(message);
    }
  });

  it("and defaults are told in docs/operations.md", async () => {
    const page = await readFile(new URL("../../../docs/operations.md", import.meta.url), "utf8");
    const defaults: Record<string, unknown> = parseConfig({});
    for (const { name, min, max } of bounds) {
      const allowed = max === LONGEST_TIMER_MS ? `from ${min}` : `${min} to ${max}`;
      expect(page).toContain(`| \`${name}\` | ${String(defaults[name])} | ${allowed} | `);
    }
  });

  it("are within what every runtime's timers keep", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockReturnValue();
    for (const [name, [, max]] of Object.entries(BOUNDS))
      if (name.endsWith("_MS")) clearTimeout(setTimeout(() => {}, max));
    expect(warned).not.toHaveBeenCalled();
    clearTimeout(setTimeout(() => {}, LONGEST_TIMER_MS + 1));
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  it("refuse a first open time over the longest one, whichever is set", () => {
    const message = (open: number, max: number) => `: ${open} is more than CIRCUIT_MAX_OPEN_MS, ${max}`;
    expect(() => parseConfig({ CIRCUIT_OPEN_MS: "60000" })).toThrow(
      `CIRCUIT_OPEN_MS="60000"${message(60_000, 30_000)}`,
    );
    expect(() => parseConfig({ CIRCUIT_MAX_OPEN_MS: "1000" })).toThrow(`CIRCUIT_OPEN_MS${message(5_000, 1_000)}`);
    expect(parseConfig({ CIRCUIT_OPEN_MS: "7000", CIRCUIT_MAX_OPEN_MS: "7000" })).toBeTruthy();
  });
});
