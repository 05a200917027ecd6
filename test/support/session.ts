/** A plain client of the gateway's contract, that shares no code with the product's own. */
import { createHash } from "node:crypto";
import { WebSocket } from "ws";

export interface SessionRequest {
  provider: string;
  voice: string;
  text: string;
  target_format?: string;
  sample_rate_hz?: number;
  language?: string;
  fallback?: { provider: string; voice: string }[];
}

export interface AudioMessage {
  seq: number;
  data: Buffer;
  ptsMs: number | undefined;
}

export interface Notice {
  type: "notice";
  reason: string;
  message: string;
  provider: string;
  voice: string;
  pts_ms: number;
  is_cut: boolean;
}

export interface Final {
  type: string;
  seq: number;
  duration_ms: number;
  bytes: number;
  code: number;
  reason: string;
  message: string;
  retry_after_ms?: number;
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/tts/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export async function createSession(url: string, request: SessionRequest): Promise<{ id: string; wsUrl: string }> {
  const response = await post(url, request);
  if (response.status !== 201) throw new Error(`POST answered ${response.status}: ${await response.text()}`);
  const { session_id: id, ws_url: wsUrl } = (await response.json()) as { session_id: string; ws_url: string };
  return { id, wsUrl };
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever is there
export async function statusOf(url: string, id: string): Promise<any> {
  const response = await fetch(`${url}/v1/tts/sessions/${id}`);
  return response.json();
}

/** One connection, and all that came through it. */
export class Stream {
  readonly socket: WebSocket;
  readonly audio: AudioMessage[] = [];
  readonly finals: Final[] = [];
  readonly notices: Notice[] = [];
  /** Messages after the eos or error. */
  late = 0;
  closeCode: number | undefined;
  readonly closed: Promise<number>;
  onAudio: (message: AudioMessage) => void = () => {};

  constructor(wsUrl: string, { after, binary = false }: { after?: number; binary?: boolean } = {}) {
    const url = new URL(wsUrl);
    if (after !== undefined) url.searchParams.set("after", String(after));
    this.socket = new WebSocket(url, binary ? ["tts.v1.binary"] : []);
    this.socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code) => {
        this.closeCode = code;
        resolve(code);
      });
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.finals.length > 0) this.late++;
    if (isBinary) return this.#take({ seq: data.readUInt32BE(0), data: data.subarray(4), ptsMs: undefined });
    const message = JSON.parse(data.toString("utf8"));
    if (message.type === "notice") return void this.notices.push(message);
    if (message.type !== "audio") return void this.finals.push(message);
    this.#take({ seq: message.seq, data: Buffer.from(message.data, "base64"), ptsMs: message.pts_ms });
  }

  #take(message: AudioMessage): void {
    this.audio.push(message);
    this.onAudio(message);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.audio.map(({ data }) => data));
  }

  get final(): Final | undefined {
    return this.finals[0];
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  /** Waits for the next audio message. */
  next(): Promise<AudioMessage> {
    return new Promise((resolve, reject) => {
      this.onAudio = resolve;
      void this.closed.then((code) => reject(new Error(`closed with ${code}: ${JSON.stringify(this.final)}`)));
    });
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Plays a session to its end. */
export async function play(wsUrl: string, options?: { after?: number; binary?: boolean }): Promise<Stream> {
  const stream = new Stream(wsUrl, options);
  await stream.closed;
  return stream;
}

/** Creates a session and plays it to its end. */
export async function speak(url: string, request: SessionRequest, options?: { binary?: boolean }): Promise<Stream> {
  return play((await createSession(url, request)).wsUrl, options);
}

/** Checks what every complete stream must be, from the message after `after` on. */
export function expectComplete(stream: Stream, after = 0): Final {
  const { audio, final, finals, late, closeCode } = stream;
  if (final?.type !== "eos") throw new Error(`ended with ${JSON.stringify(final)} and close code ${closeCode}`);
  const hole = audio.findIndex(({ seq }, i) => seq !== after + i + 1);
  if (hole >= 0) throw new Error(`message ${hole} has seq ${audio[hole]!.seq}`);
  const problems = [
    finals.length !== 1 && `${finals.length} terminal messages`,
    late > 0 && `${late} messages after the terminal one`,
    closeCode !== 1000 && `close code ${closeCode}`,
    final.seq !== after + audio.length && `eos.seq ${final.seq} after ${audio.length} messages`,
    after === 0 && final.bytes !== stream.bytes.length && `eos.bytes ${final.bytes}, but ${stream.bytes.length} came`,
  ].filter(Boolean);
  if (problems.length > 0) throw new Error(problems.join("; "));
  return final;
}

/** A text of at least so many characters. */
export function longText(chars: number): string {
  const sentences = [
    "The tide came in over the flat sand while the children were still building their wall.",
    "Nobody had told them that the sea keeps its appointments.",
    "By four the towers leaned, by five they were gone, and the beach was smooth again.",
    "They went home with wet shoes and a plan for tomorrow.",
  ];
  let text = "";
  for (let i = 0; text.length < chars; i++) text += `${sentences[i % sentences.length]} `;
  return text.trim();
}
