/** The messages of the native protocol (docs/protocol.md): JSON text frames, and binary audio to clients that offer it. */
import { z } from "zod";
import { CLOSE } from "../../../protocol/close-codes.ts";
import { BINARY_HEADER_BYTES, type NoticeMessage, type TerminalMessage } from "../../../protocol/messages.ts";
import { closeCodeOf, errorMessage, GatewayError, type Failure } from "../../base/errors.ts";
import type { Farewell, Framing, Notice, Outcome } from "../../delivery/framing.ts";
import type { Message } from "../../message-log/message.ts";

/** Longest message a client may send, in characters or bytes: an ack has about 30. */
const MAX_CLIENT_MESSAGE = 4096;

/** What a JSON audio message has around its base64, at most, in bytes. */
const JSON_BYTES = 80;

const verbSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ack"), seq: z.number().int().min(0) }),
  z.object({ type: z.literal("cancel") }),
]);

export function noticeMessage({ failure, provider, voice, startMs, isCut }: Notice): NoticeMessage {
  const { reason, message } = failure;
  return { type: "notice", reason, message, provider, voice, pts_ms: startMs, is_cut: isCut };
}

export function terminalMessage(outcome: Outcome): TerminalMessage {
  if (outcome.state !== "completed") return errorMessage(outcome.failure);
  return { type: "eos", seq: outcome.seq, duration_ms: outcome.durationMs, bytes: outcome.bytes };
}

export function refusal(failure: Failure): Farewell {
  return {
    message: JSON.stringify(errorMessage(failure)),
    code: closeCodeOf(failure.reason),
    reason: failure.reason,
  };
}

export class NativeFraming implements Framing {
  readonly #isBinary: boolean;
  readonly #wantsNotices: boolean;

  constructor(isBinary: boolean, wantsNotices: boolean) {
    this.#isBinary = isBinary;
    this.#wantsNotices = wantsNotices;
  }

  wireBytes(audioBytes: number): number {
    return this.#isBinary ? BINARY_HEADER_BYTES + audioBytes : Math.ceil(audioBytes / 3) * 4 + JSON_BYTES;
  }

  audio({ seq, data, startMs }: Message): string | Uint8Array {
    // An AudioMessage. Base64 needs no escapes, for which JSON.stringify would look through all of it.
    if (!this.#isBinary) return `{"type":"audio","seq":${seq},"data":"${data.toBase64()}","pts_ms":${startMs}}`;
    const frame = new Uint8Array(BINARY_HEADER_BYTES + data.length);
    new DataView(frame.buffer).setUint32(0, seq);
    frame.set(data, BINARY_HEADER_BYTES);
    return frame;
  }

  notice(notice: Notice): string | undefined {
    return this.#wantsNotices ? JSON.stringify(noticeMessage(notice)) : undefined;
  }

  outcome(outcome: Outcome): Farewell {
    if (outcome.state !== "completed") return refusal(outcome.failure);
    return { message: JSON.stringify(terminalMessage(outcome)), code: CLOSE.normal, reason: "end of stream" };
  }

  refusal(failure: Failure): Farewell {
    return refusal(failure);
  }

  parse(data: string | ArrayBuffer) {
    const length = typeof data === "string" ? data.length : data.byteLength;
    if (length > MAX_CLIENT_MESSAGE) {
      throw new GatewayError("payload_too_large", `a message may have at most ${MAX_CLIENT_MESSAGE} characters`);
    }
    let value: unknown;
    try {
      value = typeof data === "string" ? JSON.parse(data) : undefined;
    } catch {
      // answered below
    }
    const parsed = verbSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new GatewayError("bad_message", 'a client says {"type":"ack","seq":N} or {"type":"cancel"} and nothing else');
  }
}
