import { defineConfig } from "vitest/config";

const node = (name: string, timeoutMs: number) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: timeoutMs, hookTimeout: timeoutMs },
});

export default defineConfig({
  test: {
    projects: [node("unit", 10_000), node("transcoder", 60_000), node("engines", 60_000)],
  },
});
