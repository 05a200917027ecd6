/** A way to a real transcoder on which answers break off where a test says. */
import type { Upstream } from "../../../worker/upstreams/upstream.ts";

export interface LosingUpstream extends Upstream {
  /** Paths that were asked for, each with its query. */
  readonly asked: URL[];
  /** Bytes that came of each answer. */
  readonly received: number[];
}

/** @param cuts how many bytes of each answer come before its connection breaks; those that follow come whole. */
export function losing(url: string, cuts: readonly number[]): LosingUpstream {
  const asked: URL[] = [];
  const received: number[] = [];
  return {
    asked,
    received,
    async fetch(path, init) {
      const index = asked.push(new URL(path, url)) - 1;
      received[index] = 0;
      const broken = new AbortController();
      const signal = AbortSignal.any([broken.signal, ...(init?.signal ? [init.signal] : [])]);
      // Node's fetch wants to be told that a body goes out while the answer comes in.
      const response = await fetch(url + path, { ...init, signal, ...(init?.body && { duplex: "half" }) });
      let left = cuts[index] ?? Number.POSITIVE_INFINITY;
      const cutting = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk.slice(0, left));
          left -= chunk.length;
          received[index]! += chunk.length;
          if (left > 0) return;
          broken.abort();
          controller.error(new Error("the connection broke"));
        },
      });
      return new Response(response.body!.pipeThrough(cutting), response);
    },
  };
}
