import { CLOSE } from "../../protocol/close-codes.ts";
import type { ClientMessage } from "../../protocol/messages.ts";
import { Queue } from "./queue.ts";

export interface ConnectionTimeouts {
  /** How long it may take to open, in ms. */
  openMs: number;
  /** How long nothing may come through it then, in ms. */
  silenceMs: number;
}

/** One WebSocket: what comes through it until it is closed, or is silent for so long that it counts as lost. */
export class Connection {
  /** What came, in order; ends with the connection. */
  readonly frames = new Queue<ArrayBuffer | string>();
  /** How it was closed, when {@link frames} has ended. */
  closeCode: number = CLOSE.abnormal;
  /** It was open, and is given up because nothing came. */
  hasFallenSilent = false;
  readonly #socket: WebSocket;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** @param greeting said as soon as it is open. */
  constructor(url: URL, protocols: string[], { openMs, silenceMs }: ConnectionTimeouts, greeting: ClientMessage) {
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.#expectSign(silenceMs);
      this.send(greeting);
    });
    socket.addEventListener("message", ({ data }) => {
      this.#expectSign(silenceMs);
      this.frames.push(data as ArrayBuffer | string);
    });
    socket.addEventListener("close", ({ code }) => {
      if (!this.#isOver) this.closeCode = code;
      this.close();
    });
    this.#socket = socket;
    this.#expectSign(openMs);
  }

  /** Without a sign of life within `ms` the connection is lost: one that broke silently never says so. */
  #expectSign(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => {
      this.hasFallenSilent = this.#socket.readyState === WebSocket.OPEN;
      this.close();
    }, ms);
  }

  /** @returns false if it is not open. */
  send(message: ClientMessage): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Does not wait for the other side: to a peer that is gone, the closing handshake may take for ever (seen in Node). */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.frames.end();
    this.#socket.close();
  }
}
