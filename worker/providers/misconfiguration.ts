/** The signs that the gateway is set up wrongly for an engine, and how the log names them. */
import { log } from "../base/log.ts";
import { NO_CONTAINER } from "../upstreams/containers/kinds.ts";

/** An engine asks for a key, a payment or a permission, or has no place to run: every request would be refused. */
const STATUSES = new Set([401, 402, 403, 407, NO_CONTAINER]);

export function isMisconfigured(status: number): boolean {
  return STATUSES.has(status);
}

/** @param what the status or the wrong value, without the engine's message: that may repeat what we sent. */
export function logMisconfigured(provider: string, what: { status: number } | { value: string }): void {
  log("provider_misconfigured", { provider, ...what });
}
