import { describe, expect, it } from "vitest";
import { ask, create, post, request } from "./client.ts";

describe("a browser of any origin", () => {
  const origin = "https://app.example";

  it("may ask for a session", async () => {
    const preflight = await ask("/v1/tts/sessions", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    expect(preflight.headers.get("access-control-allow-headers")).toBe("content-type");
    expect((await post(request, { origin })).headers.get("access-control-allow-origin")).toBe("*");
  });

  it("may cancel one", async () => {
    const preflight = await ask(`/v1/tts/sessions/${await create()}`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "DELETE" },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toContain("DELETE");
  });

  it.each([
    ["a body that is wrong", () => post({}, { origin })],
    ["a body that is no JSON (400)", () => post("{", { origin })],
    ["another media type (415)", () => post("{}", { origin, "content-type": "text/plain" })],
    ["a body too large (413)", () => post("a".repeat(100_000), { origin, "content-length": "100000" })],
    ["a session that is not there", () => ask("/v1/tts/sessions/x", { headers: { origin } })],
    ["a cancel of none", () => ask("/v1/tts/sessions/x", { method: "DELETE", headers: { origin } })],
    ["a stream without an upgrade (426)", () => ask("/v1/tts/stream/x", { headers: { origin } })],
    ["a wrong query", () => ask("/v1/voices?language=!", { headers: { origin } })],
    ["a path that is not there", () => ask("/v1/voice", { headers: { origin } })],
    ["no path at all", () => ask("/", { headers: { origin } })],
    ["another method of a path", () => ask("/v1/voices", { method: "PUT", headers: { origin } })],
    ["a gateway that is not ready", () => ask("/readyz", { headers: { origin } })],
  ])("may read the answer to %s", async (_, asking) => {
    const answer = await asking();
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-expose-headers")).toBe("Retry-After");
    await answer.body?.cancel();
  });

  it.each([
    "/v1/tts/sessions",
    "/v1/tts/sessions/x",
    "/v1/tts/stream/x",
    "/v1/voices",
    "/healthz",
    "/readyz",
    "/other",
  ])("gets leave to ask %s", async (path) => {
    const headers = { origin, "access-control-request-method": "GET" };
    const preflight = await ask(path, { method: "OPTIONS", headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
  });
});
