import { expect, it } from "vitest";
import { ask } from "./client.ts";

it("GET /client.js is a module that a page on any origin may import", async () => {
  const response = await ask("/client.js", { headers: { origin: "https://page.example" } });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  expect(await response.text()).toMatch(/export\{.* as TtsClient\b/);
});

it("GET /client.js is sent again only when it has changed, though its address stays", async () => {
  const response = await ask("/client.js");
  const tag = response.headers.get("etag")!;
  expect(response.headers.get("cache-control")).toBe("public, no-cache");
  const unchanged = await ask("/client.js", { headers: { "if-none-match": tag, origin: "https://page.example" } });
  expect([unchanged.status, await unchanged.text()]).toEqual([304, ""]);
  expect(unchanged.headers.get("access-control-allow-origin")).toBe("*");
  expect((await ask("/client.js", { headers: { "if-none-match": '"other"' } })).status).toBe(200);
});
