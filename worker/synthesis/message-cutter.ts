/** Cuts an encoded stream into the numbered messages a client gets. */
import { concat } from "../../protocol/bytes.ts";
import type { Packet } from "../upstreams/transcoder.ts";

export interface Message {
  /** 1, 2, 3, ... */
  seq: number;
  /** When its first sample is heard and its last one was, in ms from the stream's start. */
  startMs: number;
  endMs: number;
  /** Bytes of all messages up to and with this one. */
  endByte: number;
  data: Uint8Array;
}

/** Audio of a message, in ms. The first one leaves with the first packet, so that sound starts early. */
const MESSAGE_MS = 100;

/** What a codec adds to a stream, and what the loss of an object can take from the end of its tape, in ms. */
const UNRECORDED_MS = 1_500;

/** No stream of so long a tape had more messages than this: what a lost object may have sent. */
export function mostMessages(tapeMs: number): number {
  return Math.ceil((tapeMs + UNRECORDED_MS) / MESSAGE_MS) + 1;
}

/** Message N depends on the packets alone, never on when they came: it is the same for every listener. */
export async function* cutMessages(packets: AsyncIterable<Packet>, sampleRateHz: number): AsyncGenerator<Message> {
  const toMs = (samples: number) => Math.round((samples / sampleRateHz) * 1000);
  let held: Packet[] = [];
  let seq = 0;
  let start = 0;
  let end = 0;
  let endByte = 0;
  const cut = (): Message => {
    const data = concat(held.map((packet) => packet.data));
    endByte += data.length;
    const message = { seq: ++seq, startMs: toMs(start), endMs: toMs(end), endByte, data };
    held = [];
    start = end;
    return message;
  };
  for await (const packet of packets) {
    held.push(packet);
    end += packet.samples;
    const wanted = seq === 0 ? 1 : (MESSAGE_MS * sampleRateHz) / 1000;
    if (end - start >= wanted) yield cut();
  }
  if (held.length > 0) yield cut();
}
