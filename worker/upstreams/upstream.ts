import type { Region } from "./region.ts";

/** A server that does work for us, wherever it runs. */
export interface Upstream {
  /** The region whose requests it serves, if every region has a server of its own. */
  readonly region?: Region;
  /** Rejects when it cannot be reached. Streams both ways; an abort of `init.signal` reaches the server. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export function upstreamAt(baseUrl: string): Upstream {
  const base = baseUrl.replace(/\/+$/, "");
  return { fetch: (path, init) => fetch(base + path, init) };
}
