/**
 * A page's script outside a browser: with Node's own fetch and WebSocket, the page's elements by their ids, and an audio
 * context that plays nothing, but keeps what it is given to play and when.
 */
import { runInNewContext } from "node:vm";

interface Scheduled {
  /** Seconds of the context's clock. */
  start: number;
  samples: Float32Array;
}

export interface PlayedPage {
  elements: Map<string, { value: string; textContent: string; onclick?: () => unknown }>;
  scheduled: Scheduled[];
  rateHz: number;
  /** Text that the page sent over its sockets. */
  sent: string[];
}

/** Runs the page's script. What CORS allows it in a browser is for test/worker/cors.test.ts. */
export function openPage(html: string): PlayedPage {
  const page: PlayedPage = { elements: new Map(), scheduled: [], rateHz: 0, sent: [] };
  for (const [, id, content] of html.matchAll(/<\w+ id="(\w+)"[^>]*>(.*?)<\//g)) {
    page.elements.set(id!, { value: content!, textContent: content! });
  }

  class AudioContext {
    readonly currentTime = 0;
    readonly destination = {};
    constructor({ sampleRate }: { sampleRate: number }) {
      page.rateHz = sampleRate;
    }
    createBuffer(channels: number, length: number, rateHz: number) {
      if (channels !== 1 || rateHz !== page.rateHz) throw new Error(`${channels} channels at ${rateHz} Hz`);
      const samples = new Float32Array(length);
      return { samples, duration: length / rateHz, copyToChannel: (from: Float32Array) => samples.set(from) };
    }
    createBufferSource() {
      const source = {
        buffer: undefined as undefined | { samples: Float32Array },
        onended: undefined as undefined | (() => void),
        connect: () => {},
        start(at: number) {
          page.scheduled.push({ start: at, samples: source.buffer!.samples });
          setTimeout(() => source.onended?.()); // a listener with a clock that runs fast
        },
      };
      return source;
    }
  }

  class PageSocket extends WebSocket {
    override send(data: string) {
      page.sent.push(data);
      super.send(data);
    }
  }

  const [, script] = /<script type="module">(.*)<\/script>/s.exec(html)!;
  runInNewContext(script!, {
    AudioContext,
    WebSocket: PageSocket,
    atob,
    document: { getElementById: (id: string) => page.elements.get(id) },
    fetch: (url: string, init: RequestInit) => fetch(url, init),
  });
  return page;
}
