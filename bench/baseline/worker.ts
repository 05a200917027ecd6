/**
 * The least that a gateway can cost: an object that sends a recorded stream's messages when they are due, framed as the
 * gateway frames them, and takes the acks. It has no engine, no encoder and no storage.
 */
import { DurableObject } from "cloudflare:workers";
import type { AudioMessage, ClientMessage, EndOfStreamMessage } from "../../protocol/messages.ts";
import type { Recording } from "./recording.ts";

interface Env {
  REPEATERS: DurableObjectNamespace<Repeater>;
}

/** Objects of one isolate share its memory, so that each need not be told the recording. */
let recording: { messages: { data: Uint8Array; startMs: number; endMs: number }[]; eos: EndOfStreamMessage };

export class Repeater extends DurableObject<Env> {
  #ackedSeq = 0;

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data as string) as ClientMessage;
      if (message.type === "ack") this.#ackedSeq = Math.max(this.#ackedSeq, message.seq);
    });
    this.ctx.waitUntil(this.#repeat(server));
    return new Response(null, { status: 101, webSocket: client });
  }

  async #repeat(socket: WebSocket): Promise<void> {
    const { messages, eos } = recording;
    const startedAt = Date.now() - messages[0]!.endMs;
    for (const [index, { data, startMs, endMs }] of messages.entries()) {
      const waitMs = startedAt + endMs - Date.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const message: AudioMessage = { type: "audio", seq: index + 1, data: data.toBase64(), pts_ms: startMs };
      socket.send(JSON.stringify(message));
    }
    socket.send(JSON.stringify(eos));
    socket.close(1000, "end of stream");
  }
}

export default {
  async fetch(request, { REPEATERS }) {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") return new Response("ok");
    if (request.method !== "PUT") return REPEATERS.getByName(pathname).fetch(request);
    const { messages, eos } = await request.json<Recording>();
    recording = {
      messages: messages.map((message) => ({ ...message, data: Uint8Array.fromBase64(message.data) })),
      eos,
    };
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
