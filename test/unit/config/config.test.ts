import { describe, expect, it } from "vitest";
import { parseConfig, SETTING_NAMES } from "../../../worker/config/settings.ts";

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
      TAPE_LEAD_MS: 30_000,
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

  it.each(SETTING_NAMES.filter((name) => !name.endsWith("_URL")))("names a wrong %s", (name) => {
    for (const value of ["", "0", "-1", "1.5", "ten", "Infinity"]) {
      expect(() => parseConfig({ [name]: value })).toThrow(`${name}=${JSON.stringify(value)}: `);
    }
  });

  it.each(SETTING_NAMES.filter((name) => name.endsWith("_URL")))("names a wrong %s", (name) => {
    for (const value of ["localhost:5002", "ftp://host", "http://", "nonsense"]) {
      expect(() => parseConfig({ [name]: value })).toThrow(`${name}=${JSON.stringify(value)}: `);
    }
  });

  it("names every wrong value at once", () => {
    expect(() => parseConfig({ WINDOW_BYTES: "x", STALL_TIMEOUT_MS: "y" })).toThrow(
      /^wrong configuration: WINDOW_BYTES="x".*; STALL_TIMEOUT_MS="y"/,
    );
  });
});
