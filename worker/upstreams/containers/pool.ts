/** A kind of container as an upstream: each request goes to one of a region's instances. */
import type { Upstream } from "../upstream.ts";
import { LOAD_HEADER, STARTING, type Kind } from "./kinds.ts";
import type { Region } from "../region.ts";
import { slotOrder, type InstanceLoad } from "./slots.ts";

export interface ContainerPool {
  kind: Kind;
  /** Of the kind's hosts. */
  namespace: DurableObjectNamespace;
  region: Region;
  /** Most instances in the region. */
  instances: number;
}

/** What says that another instance may have time. */
const TRY_ANOTHER = new Set([429, 503]);

/** The load of an instance that does not answer, in excess of any other: it is the last to be asked. */
const NOT_READY = 1_000;

export function containerUpstream({ kind, namespace, region, instances }: ContainerPool): Upstream {
  const loads: (InstanceLoad | undefined)[] = Array.from({ length: instances }, () => undefined);

  async function ask(slot: number, path: string, init: RequestInit | undefined): Promise<Response> {
    const heard = (load: number | undefined) => {
      loads[slot] = load === undefined ? undefined : { load, at: Date.now() };
    };
    try {
      // The hint is for the first time alone: an object stays where it was made.
      const host = namespace.get(namespace.idFromName(`${region}:${kind.name}:${slot}`), { locationHint: region });
      const response = await host.fetch(`http://${kind.name}${path}`, init);
      const load = response.headers.get(LOAD_HEADER);
      heard(load === STARTING ? undefined : Number(load || NOT_READY));
      return response;
    } catch (error) {
      if (!init?.signal?.aborted) heard(NOT_READY);
      throw error;
    }
  }

  return {
    region,
    async fetch(path, init) {
      const [first, ...others] = slotOrder(loads, Date.now(), Math.random);
      const answer = await ask(first!, path, init);
      // A body that is a stream can be sent once: its sender asks again, and by then this slot comes last.
      if (init?.body instanceof ReadableStream) return answer;
      let last = answer;
      for (const slot of others) {
        if (!TRY_ANOTHER.has(last.status)) break;
        // While one is starting, waking another one would help nobody.
        const isStarting = last.headers.get(LOAD_HEADER) === STARTING;
        if (isStarting && !loads[slot]) continue;
        await last.body?.cancel();
        last = await ask(slot, path, init);
      }
      return last;
    },
  };
}
