/** The isolate's knowledge of every provider's circuit. */
import { env } from "cloudflare:workers";
import { config } from "../config/config.ts";
import { CircuitClient, type Breaker, type Clock } from "./circuit-client.ts";

const clock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A stub belongs to the request it was made in: one for each use. */
function breakerOf(provider: string): Breaker {
  const stub = () => env.CIRCUIT_BREAKERS.getByName(provider);
  return {
    report: (report) => stub().report(report),
    lease: (phase) => stub().lease(phase),
    settle: (phase, end) => stub().settle(phase, end),
  };
}

const clients = new Map<string, CircuitClient>();

export function circuitOf(provider: string): CircuitClient {
  const known = clients.get(provider);
  if (known) return known;
  const client = new CircuitClient(provider, breakerOf(provider), config.CIRCUIT_SLOW_MS, clock);
  clients.set(provider, client);
  return client;
}
