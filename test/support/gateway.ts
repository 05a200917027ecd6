/** The built Worker in workerd, listening on a real socket. */
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

export interface RunningGateway {
  url: string;
  logs(): string[];
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @param vars settings of worker/config.ts, the addresses of upstreams among them. */
export async function startGateway(vars: Record<string, string | number>): Promise<RunningGateway> {
  process.env.WRANGLER_SEND_METRICS = "false";
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  const harness = createTestHarness({ root, workers: [{ configPath: "wrangler.toml", vars }] });
  const { url } = await harness.listen();
  return {
    url: url.href.replace(/\/$/, ""),
    logs: () => harness.getLogs().map(({ message }) => String(message)),
    stop: () => harness.close(),
  };
}
