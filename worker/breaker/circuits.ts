/** The circuits that this isolate knows, by name. */
import { env } from "cloudflare:workers";
import { config } from "../config/config.ts";
import { CircuitClient } from "./circuit-client.ts";
import type { Breaker, Clock } from "./circuit-link.ts";

const clock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Every use takes a new stub, because a stub belongs to the request that made it. */
function breakerOf(name: string): Breaker {
  const stub = () => env.CIRCUIT_BREAKERS.getByName(name);
  return {
    report: (report) => stub().report(report),
    lease: (phase) => stub().lease(phase),
    settle: (phase, outcome) => stub().settle(phase, outcome),
  };
}

const clients = new Map<string, CircuitClient>();

export function circuitOf(name: string): CircuitClient {
  const known = clients.get(name);
  if (known) return known;
  const client = new CircuitClient(name, breakerOf(name), config.CIRCUIT_SLOW_MS, clock);
  clients.set(name, client);
  return client;
}
