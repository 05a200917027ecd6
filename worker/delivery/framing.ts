/** What a protocol does for one connection: it turns what a session has to say into its own messages, and back. */
import type { Failure } from "../base/errors.ts";
import type { Message } from "../message-log/message.ts";

/** Another voice goes on. */
export interface Notice {
  failure: Failure;
  provider: string;
  voice: string;
  /** Where in the stream it begins, in ms; an encoder's delay is not counted. */
  startMs: number;
  /** The segment before was broken off there. */
  isCut: boolean;
}

/** How a session ended. */
export type Outcome =
  /** The number of the last message, and the sums of the whole stream. */
  | { state: "completed"; seq: number; durationMs: number; bytes: number }
  | { state: "failed" | "cancelled"; failure: Failure };

/** What a client says. */
export type Verb = { type: "ack"; seq: number } | { type: "cancel" };

/** The last words on a connection, if there are any, and how it is closed. */
export interface Farewell {
  message?: string;
  code: number;
  reason: string;
}

export interface Framing {
  /** Most bytes of a message of `audioBytes` on the wire. */
  wireBytes(audioBytes: number): number;
  audio(message: Message): string | Uint8Array;
  /** Undefined: this client did not ask for notices. */
  notice(notice: Notice): string | undefined;
  outcome(outcome: Outcome): Farewell;
  /** The connection ends because of `failure`, the session does not. */
  refusal(failure: Failure): Farewell;
  /** @throws GatewayError for what a client must not say. */
  parse(data: string | ArrayBuffer): Verb;
}

/** One of the attempts of a client that counts them. */
export interface Attempt {
  /** What the client calls itself; empty: nothing. */
  client: string;
  number: number;
}

/** What a client asks for when it connects. */
export interface Opening {
  /** The last message it has. */
  after: number;
  /** Undefined: this client does not count its attempts. */
  attempt: Attempt | undefined;
  framing: Framing;
}

export interface Protocol {
  /** @throws GatewayError `invalid_after`. */
  open(request: Request): Opening;
  /** The answer that hands `socket` to the client. */
  upgrade(request: Request, socket: WebSocket): Response;
  /** Accepts a socket only to say why there is no stream: a browser cannot read the status of a refused upgrade. */
  refuse(request: Request, failure: Failure): Response;
}
