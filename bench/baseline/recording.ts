import type { EndOfStreamMessage } from "../../protocol/messages.ts";

/** A stream as its first listener heard it: what the baseline is to send. */
export interface Recording {
  /** Base64 data; when the message's audio begins and ends, in ms from the stream's start. */
  messages: { data: string; startMs: number; endMs: number }[];
  eos: EndOfStreamMessage;
}
