/** Structured log lines: one a request, one a stream; never the text that is spoken. */
import type { MiddlewareHandler } from "hono";

export function log(event: string, fields: Record<string, unknown>): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }));
}

/** Something was thrown that nobody expected. */
export function logBug(error: unknown, fields: Record<string, unknown> = {}): void {
  log("bug", { ...fields, stack: error instanceof Error ? error.stack : String(error) });
}

/** Probes come every second or so: their answers are not worth a line. */
const PROBES = new Set(["/healthz", "/readyz"]);

export const logRequests: MiddlewareHandler = async (c, next) => {
  const started = Date.now();
  await next();
  const { method, path } = c.req;
  if (PROBES.has(path)) return;
  log("request", { method, path, status: c.res.status, ms: Date.now() - started, ray: c.req.header("cf-ray") });
};
