/** One client's WebSocket: its window, its way of framing audio. */
import {
  BINARY_HEADER_BYTES,
  BINARY_SUBPROTOCOL,
  CLOSE,
  type AudioMessage,
  type NoticeMessage,
  type TerminalMessage,
} from "../../protocol/messages.ts";
import { closeCodeOf, errorMessage, type Failure, type Reason } from "../base/errors.ts";
import type { Message } from "../synthesis/message-cutter.ts";
import { SendWindow } from "./send-window.ts";

export interface ConnectionOptions {
  /** The last seq the client has. */
  after: number;
  isBinary: boolean;
  wantsNotices: boolean;
  windowBytes: number;
}

function binaryFrame(seq: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(BINARY_HEADER_BYTES + data.length);
  new DataView(frame.buffer).setUint32(0, seq);
  frame.set(data, BINARY_HEADER_BYTES);
  return frame;
}

/** A send or close that finds the client gone; its close event tells the session. */
function unlessGone(action: () => void): void {
  try {
    action();
  } catch {
    // nobody is there to hear it
  }
}

/** What a JSON audio message has around its base64, at most. */
const JSON_BYTES = 80;

function sayAndClose(socket: WebSocket, message: TerminalMessage): void {
  unlessGone(() => {
    socket.send(JSON.stringify(message));
    if (message.type === "eos") socket.close(CLOSE.normal, "end of stream");
    else socket.close(closeCodeOf(message.reason as Reason), message.reason);
  });
}

export class Connection {
  readonly socket: WebSocket;
  readonly window: SendWindow;
  readonly #isBinary: boolean;
  readonly #wantsNotices: boolean;

  constructor(socket: WebSocket, { after, isBinary, wantsNotices, windowBytes }: ConnectionOptions) {
    this.socket = socket;
    this.window = new SendWindow(windowBytes, after);
    this.#isBinary = isBinary;
    this.#wantsNotices = wantsNotices;
  }

  get progress(): number {
    return this.window.progress(this.socket.bufferedAmount);
  }

  canTake(message: Message): boolean {
    const audioBytes = message.data.length;
    const wireBytes = this.#isBinary ? BINARY_HEADER_BYTES + audioBytes : Math.ceil(audioBytes / 3) * 4 + JSON_BYTES;
    return this.window.isOpen(audioBytes, wireBytes, this.socket.bufferedAmount);
  }

  sendAudio({ seq, data, startMs }: Message): void {
    this.window.sent(seq, data.length);
    if (this.#isBinary) return unlessGone(() => this.socket.send(binaryFrame(seq, data)));
    const message: AudioMessage = { type: "audio", seq, data: data.toBase64(), pts_ms: startMs };
    unlessGone(() => this.socket.send(JSON.stringify(message)));
  }

  notify(notice: NoticeMessage): void {
    if (this.#wantsNotices) unlessGone(() => this.socket.send(JSON.stringify(notice)));
  }

  /** Says how the session ended, and closes. */
  end(final: TerminalMessage): void {
    sayAndClose(this.socket, final);
  }

  /** Ends this connection, not the session. */
  refuse(failure: Failure): void {
    sayAndClose(this.socket, errorMessage(failure));
  }

  close(code: number, reason: string): void {
    unlessGone(() => this.socket.close(code, reason));
  }
}

export function offersBinary(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  return offered.some((name) => name.trim() === BINARY_SUBPROTOCOL);
}

/** The answer that hands a socket to the client. */
export function upgraded(request: Request, webSocket: WebSocket): Response {
  const headers = offersBinary(request) ? { "sec-websocket-protocol": BINARY_SUBPROTOCOL } : undefined;
  return new Response(null, { status: 101, webSocket, ...(headers && { headers }) });
}

/** Accepts a socket only to say why there is no stream: a browser cannot read the status of a refused upgrade. */
export function refuseWebSocket(request: Request, failure: Failure): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  sayAndClose(server, errorMessage(failure));
  return upgraded(request, client);
}
