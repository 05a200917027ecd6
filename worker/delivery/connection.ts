/** One client's WebSocket: its window, and the framing of its protocol. */
import type { Failure } from "../base/errors.ts";
import type { Message } from "../message-log/message.ts";
import type { Attempt, Farewell, Framing, Notice, Opening, Outcome } from "./framing.ts";
import { SendWindow } from "./send-window.ts";

/** A send or close that finds the client gone; its close event tells the session. */
function unlessGone(action: () => void): void {
  try {
    action();
  } catch {
    // nobody is there to hear it
  }
}

export function sayFarewell(socket: WebSocket, { message, code, reason }: Farewell): void {
  unlessGone(() => {
    if (message !== undefined) socket.send(message);
    socket.close(code, reason);
  });
}

export class Connection {
  readonly socket: WebSocket;
  readonly window: SendWindow;
  readonly framing: Framing;
  readonly attempt: Attempt | undefined;

  constructor(socket: WebSocket, { after, attempt, framing }: Opening, windowBytes: number) {
    this.socket = socket;
    this.window = new SendWindow(windowBytes, after);
    this.framing = framing;
    this.attempt = attempt;
  }

  /** Changes whenever the client has taken something. */
  get progress(): number {
    return this.window.progress(this.socket.bufferedAmount);
  }

  canTake({ data }: Message): boolean {
    return this.window.isOpen(data.length, this.framing.wireBytes(data.length), this.socket.bufferedAmount);
  }

  send(message: Message): void {
    this.window.sent(message.seq, message.data.length);
    unlessGone(() => this.socket.send(this.framing.audio(message)));
  }

  notify(notice: Notice): void {
    const said = this.framing.notice(notice);
    if (said !== undefined) unlessGone(() => this.socket.send(said));
  }

  /** Says how the session ended, and closes. */
  end(outcome: Outcome): void {
    sayFarewell(this.socket, this.framing.outcome(outcome));
  }

  /** Ends this connection, not the session. */
  refuse(failure: Failure): void {
    sayFarewell(this.socket, this.framing.refusal(failure));
  }

  close(code: number, reason: string): void {
    sayFarewell(this.socket, { code, reason });
  }
}
