/** A client of the gateway's contract, inside workerd: it shares no code with the gateway but the types of messages. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { concat } from "../unit/bytes.ts";
import type {
  CreateSessionResponse,
  ErrorMessage,
  NoticeMessage,
  ServerMessage,
  TerminalMessage,
} from "../../protocol/messages.ts";

const HOST = "http://gateway.example";

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  reason: string;
  field?: string;
}

export function ask(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(new Request(path.startsWith("http") ? path : HOST + path, init));
}

export function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return ask("/v1/tts/sessions", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export const request = {
  provider: "mock_tone",
  voice: "en-US-mock-1",
  text: "Hello there, world.",
  target_format: "pcm16",
};

/** Minutes of speech: much more than one window. */
export const LONG_TEXT = "All work and no play makes Jack a dull boy, as they say. ".repeat(60).trim();

export async function create(more: object = {}): Promise<string> {
  const response = await post({ ...request, ...more });
  if (response.status !== 201) throw new Error(`POST answered ${response.status}: ${await response.text()}`);
  return (await response.json<CreateSessionResponse>()).session_id;
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever is there
export async function statusOf(id: string): Promise<any> {
  return (await ask(`/v1/tts/sessions/${id}`)).json();
}

export function stubOf(id: string) {
  return env.SESSIONS.get(env.SESSIONS.idFromString(id));
}

/**
 * A session whose voices before the last have a provider that is not there any more, so that each has to be replaced; with
 * none before it, as `create` makes one.
 */
export async function createWithLostVoices(lost: readonly string[], voice: string, text: string): Promise<string> {
  const id = env.SESSIONS.newUniqueId();
  const speaks = { language: "en-US", rateHz: 16_000 };
  const gone = lost.map((name) => ({ provider: "gone", voice: name, ...speaks }));
  const [first, ...others] = [...gone, { provider: "mock_tone", voice, ...speaks }];
  const format = { rateHz: 16_000, format: "pcm16", sampleRateHz: 16_000 } as const;
  await env.SESSIONS.get(id).create({ voices: [first, ...others], text, maxChars: 2_000, region: "weur", ...format });
  return id.toString();
}

interface Put {
  key: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever is stored
  value: any;
  /** Whatever is said from now on leaves only when it is safe. */
  isConfirmed: boolean;
}

/** Tells `see` of everything that the session's object writes; the write waits until it returns. */
export async function watchWrites(id: string, see: (put: Put) => Promise<void> | void): Promise<void> {
  await runInDurableObject(stubOf(id), (_, { storage }) => {
    const put = storage.put.bind(storage) as (
      key: string,
      value: unknown,
      options?: DurableObjectPutOptions,
    ) => unknown;
    Object.assign(storage, {
      put: async (key: string, value: unknown, options?: DurableObjectPutOptions) => {
        const seen = see({ key, value, isConfirmed: !options?.allowUnconfirmed });
        if (seen) await seen;
        return put(key, value, options);
      },
    });
  });
}

/** The keys of everything that the session has stored. */
export function keysOf(id: string): Promise<string[]> {
  return runInDurableObject(stubOf(id), (_, { storage }) => Array.from(storage.kv.list(), ([key]) => key));
}

interface Audio {
  seq: number;
  data: Uint8Array;
  ptsMs?: number;
}

/** One connection, and all that came through it. */
export class Client {
  readonly audio: Audio[] = [];
  readonly finals: TerminalMessage[] = [];
  readonly notices: NoticeMessage[] = [];
  /** Messages after the eos or error. */
  late = 0;
  readonly protocol: string | null;
  readonly closed: Promise<{ code: number; reason: string }>;
  isOpen = true;
  readonly #socket: WebSocket;
  readonly #acks: boolean;
  #hasLeft = false;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket, protocol: string | null, acks: boolean) {
    this.#socket = socket;
    this.protocol = protocol;
    this.#acks = acks;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#received(data as string | ArrayBuffer));
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        this.isOpen = false;
        this.#wake();
        resolve({ code, reason });
      });
    });
    socket.accept();
  }

  #received(data: string | ArrayBuffer): void {
    if (this.finals.length > 0) this.late++;
    if (typeof data !== "string") {
      this.#heard({ seq: new DataView(data).getUint32(0), data: new Uint8Array(data, 4) });
    } else {
      const message = JSON.parse(data) as ServerMessage;
      if (message.type === "notice") this.notices.push(message);
      else if (message.type !== "audio") this.finals.push(message);
      else this.#heard({ seq: message.seq, data: Uint8Array.fromBase64(message.data), ptsMs: message.pts_ms });
    }
    this.#wake();
  }

  #heard(audio: Audio): void {
    this.audio.push(audio);
    if (this.#acks) this.say({ type: "ack", seq: audio.seq });
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  async until(isTrue: (client: this) => boolean): Promise<this> {
    while (!isTrue(this)) {
      if (!this.isOpen) throw new Error(`closed before that, after ${JSON.stringify(this.finals)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this;
  }

  say(message: unknown): void {
    if (!this.isOpen || this.#hasLeft) return;
    this.#socket.send(
      typeof message === "string" || message instanceof ArrayBuffer ? message : JSON.stringify(message),
    );
  }

  leave(): void {
    this.#hasLeft = true;
    this.#socket.close(1000, "bye");
  }

  /** Waits for the end of the stream, and gives back the message that said it. */
  async end(): Promise<TerminalMessage & { closeCode: number }> {
    const { code } = await this.closed;
    const [final, ...more] = this.finals;
    if (!final || more.length > 0 || this.late > 0) {
      throw new Error(`${code} after ${JSON.stringify(this.finals)} and ${this.late} messages behind it`);
    }
    return { ...final, closeCode: code };
  }

  /** As {@link end}, for a connection that is told an error. */
  async failure(): Promise<ErrorMessage & { closeCode: number }> {
    const final = await this.end();
    if (final.type !== "error") throw new Error(`expected an error, not ${JSON.stringify(final)}`);
    return final;
  }

  get bytes(): Uint8Array {
    return concat(this.audio.map(({ data }) => data));
  }
}

interface ConnectOptions {
  after?: number | string;
  attempt?: number | string;
  /** What it calls itself. */
  client?: string;
  /** Asks to be told of voice changes. */
  notices?: boolean;
  protocols?: string;
  /** Acknowledges every message as it comes. */
  acks?: boolean;
}

export async function connect(id: string, options: ConnectOptions = {}): Promise<Client> {
  const { after, attempt, client, notices, protocols, acks = false } = options;
  const query = new URLSearchParams();
  if (after !== undefined) query.set("after", String(after));
  if (attempt !== undefined) query.set("attempt", String(attempt));
  if (client !== undefined) query.set("client", client);
  if (notices) query.set("notices", "1");
  const headers = { upgrade: "websocket", ...(protocols && { "sec-websocket-protocol": protocols }) };
  const response = await ask(`/v1/tts/stream/${id}?${query.toString()}`, { headers });
  if (!response.webSocket) throw new Error(`the upgrade was answered with ${response.status}`);
  return new Client(response.webSocket, response.headers.get("sec-websocket-protocol"), acks);
}

/** A whole stream of a session, from its start to its end. */
export async function listen(id: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(id, options);
  await client.end();
  return client;
}

export const pause = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });
