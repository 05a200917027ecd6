/** A client that takes a stream as fast as it comes, can hold still, and can come back on a new connection. */
import { WebSocket } from "ws";

export class FastListener {
  /** When the audio of the last message begins, in ms of media time. */
  ptsMs = 0;
  /** That came since {@link watch}. */
  messages = 0;
  /** How the stream ended, if it did. */
  end: string | undefined;
  readonly #path: string;
  #seq = 0;
  #socket: WebSocket | undefined;
  #stopsAtMs = Infinity;
  #lastArrival = 0;
  #longestGap = { ms: 0, endedAt: 0 };

  constructor(wsUrl: string) {
    this.#path = new URL(wsUrl).pathname;
  }

  /** Goes on behind the last message that came. */
  connect(url: string): void {
    const address = `${url.replace("http", "ws")}${this.#path}?after=${this.#seq}`;
    const socket = new WebSocket(address, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("open", () => this.#ack()); // else the window is the socket's
    socket.on("message", (data: Buffer) => this.#receive(data.toString("latin1")));
  }

  #receive(data: string): void {
    const message = JSON.parse(data);
    if (message.type !== "audio") return void (this.end = data);
    const now = performance.now();
    const ms = now - this.#lastArrival;
    if (ms > this.#longestGap.ms) this.#longestGap = { ms, endedAt: now };
    this.#lastArrival = now;
    this.#seq = message.seq;
    this.messages++;
    this.ptsMs = message.pts_ms;
    if (this.ptsMs < this.#stopsAtMs) this.#ack();
  }

  #ack(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(`{"type":"ack","seq":${this.#seq}}`);
  }

  /** Takes everything up to there, and then nothing until it is told again. */
  readTo(ptsMs: number): void {
    this.#stopsAtMs = ptsMs;
    this.#ack();
  }

  watch(): void {
    this.messages = 0;
    this.#lastArrival = performance.now();
    this.#longestGap = { ms: 0, endedAt: 0 };
  }

  /** When the longest silence since {@link watch} ended, in ms of `performance.now`. */
  get gapEndedAt(): number {
    return this.#longestGap.endedAt;
  }

  close(): void {
    this.#socket?.terminate();
  }
}
