import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const node = (name: string, timeoutMs: number, include = [`test/${name}/**/*.test.ts`], exclude: string[] = []) => ({
  test: {
    name,
    include,
    exclude,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    expect: { poll: { timeout: timeoutMs / 2 } },
  },
});

/** Needs the engine's Python environment: npm run test:coqui. */
const COQUI = "test/engines/coqui*.test.ts";

/** In workerd, with limits short enough to be reached in a test. */
const worker = {
  plugins: [
    cloudflareTest({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          CONTAINERS: "off",
          TRUST_PROXY: "on",
          MAX_TEXT_CHARS: "5000",
          STALL_TIMEOUT_MS: "1000",
          TRANSCODER_WAIT_MS: "300",
          LEAD_MS: "1000",
        },
      },
    }),
  ],
  test: {
    name: "worker",
    globalSetup: ["test/support/built-client.ts"],
    include: ["test/worker/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
};

/** Needs Docker, which runs one gateway's containers at a time. */
const containers = { test: { ...node("containers", 600_000).test, fileParallelism: false } };

/** One part after the other: each wants the machine for itself. */
const chaos = { test: { ...node("chaos", 3_600_000).test, fileParallelism: false } };

export default defineConfig({
  test: {
    silent: "passed-only", // log lines, of a test that fails only
    projects: [
      node("unit", 10_000),
      worker,
      node("transcoder", 60_000),
      node("engines", 60_000, undefined, [COQUI]),
      node("coqui", 120_000, [COQUI]),
      node("e2e", 120_000),
      containers,
      chaos,
    ],
  },
});
