/** A client of the transcoder that can stall, cut, dawdle and leave, over real HTTP. */
import { once } from "node:events";
import { json } from "node:stream/consumers";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import {
  decodeEnvelopes,
  encodeAudio,
  encodeEnd,
  encodeEvent,
  type Envelope,
  type FormatEvent,
  type StreamError,
} from "../../protocol/envelope.ts";

export interface Transcoded {
  format: FormatEvent;
  /** Audio envelopes in order, the container's header with them. */
  audio: { samples: number; data: Uint8Array }[];
  /** All of their bytes. */
  bytes: Uint8Array;
  /** The sum of their samples. */
  samples: number;
  error: StreamError | undefined;
}

export type Query = Record<string, string | number>;

/** Kept, as a gateway keeps them. */
const connections = new Agent({ keepAlive: true });

/** One request whose body is still open. */
export class OpenStream {
  readonly #request: ReturnType<typeof httpRequest>;
  readonly #response: Promise<IncomingMessage>;

  constructor(url: string, query: Query) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) search.set(name, String(value));
    this.#request = httpRequest(`${url}/v1/transcode?${search.toString()}`, { method: "POST", agent: connections });
    this.#response = once(this.#request, "response").then(([response]) => response as IncomingMessage);
    this.#response.catch(() => {}); // a test that leaves does not wait for it
    this.#request.on("error", () => {});
    this.#request.flushHeaders();
  }

  /** Bytes of the body; resolves when they have been handed to the socket. */
  async send(...chunks: Uint8Array[]): Promise<this> {
    for (const chunk of chunks) if (!this.#request.write(chunk)) await once(this.#request, "drain");
    return this;
  }

  /** Bytes of the body, for as long as the server takes them at once; says how many it took. */
  async sendUntilBlocked(chunk: Uint8Array, limit: number, patienceMs: number): Promise<number> {
    let sent = 0;
    while (sent < limit) {
      sent += chunk.length;
      if (this.#request.write(chunk)) continue;
      const drained = once(this.#request, "drain").then(() => true);
      const patience = new Promise<false>((resolve) => setTimeout(resolve, patienceMs, false));
      if (!(await Promise.race([drained, patience]))) return sent;
    }
    return sent;
  }

  end(): this {
    this.#request.end();
    return this;
  }

  leave(): void {
    this.#request.destroy();
  }

  async status(): Promise<number | undefined> {
    return (await this.#response).statusCode;
  }

  async json(): Promise<unknown> {
    return json(await this.#response);
  }

  async *envelopes(): AsyncGenerator<Envelope> {
    yield* decodeEnvelopes(await this.#response);
  }

  async result(): Promise<Transcoded> {
    const audio: Transcoded["audio"] = [];
    let format: FormatEvent | undefined;
    let error: StreamError | undefined;
    for await (const envelope of this.envelopes()) {
      if (envelope.type === "audio") audio.push({ samples: envelope.samples, data: envelope.data.slice() });
      else if (envelope.type === "end") error = envelope.error;
      else if (envelope.event.type === "format") {
        if (format) throw new Error("a second format event");
        format = envelope.event;
      }
    }
    if (!format) throw new Error("no format event");
    const bytes = Buffer.concat(audio.map(({ data }) => data));
    return { format, audio, bytes, samples: audio.reduce((sum, { samples }) => sum + samples, 0), error };
  }
}

export function formatEvent(sampleRateHz: number): Uint8Array {
  return encodeEvent({ type: "format", sample_rate: sampleRateHz });
}

/** Audio envelopes of at most `samplesEach`. */
export function audioEnvelopes(pcm: Int16Array, samplesEach: number): Uint8Array[] {
  const envelopes: Uint8Array[] = [];
  for (let at = 0; at < pcm.length; at += samplesEach) {
    const part = pcm.subarray(at, at + samplesEach);
    envelopes.push(encodeAudio(part.length, new Uint8Array(part.buffer, part.byteOffset, part.byteLength)));
  }
  return envelopes;
}

/** A whole body: format event, audio in envelopes of 100 ms, end. */
export function body(pcm: Int16Array, sampleRateHz: number): Uint8Array[] {
  return [formatEvent(sampleRateHz), ...audioEnvelopes(pcm, Math.ceil(sampleRateHz / 10)), encodeEnd()];
}

export async function transcode(url: string, query: Query, chunks: Iterable<Uint8Array>): Promise<Transcoded> {
  const stream = new OpenStream(url, query);
  const result = stream.result(); // read while we write: the server writes no further than we read
  await stream.send(...chunks);
  stream.end();
  return result;
}

export async function info(url: string): Promise<{ active_streams: number; open_encoders: number }> {
  return (await (await fetch(`${url}/v1/info`)).json()) as { active_streams: number; open_encoders: number };
}
