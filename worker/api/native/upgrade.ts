/** The native protocol's way to open a WebSocket: its query, its subprotocol, its refusals. */
import { z } from "zod";
import { BINARY_SUBPROTOCOL } from "../../../protocol/messages.ts";
import { GatewayError } from "../../base/errors.ts";
import { sayFarewell } from "../../delivery/connection.ts";
import type { Protocol } from "../../delivery/framing.ts";
import { NativeFraming, refusal } from "./messages.ts";

const seqSchema = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

function offersBinary(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  return offered.some((name) => name.trim() === BINARY_SUBPROTOCOL);
}

export const nativeProtocol: Protocol = {
  open(request) {
    const { searchParams } = new URL(request.url);
    const after = seqSchema.safeParse(searchParams.get("after") ?? "0");
    if (!after.success) throw new GatewayError("invalid_after", "after must be the seq of an audio message, or 0");
    const { data: number } = seqSchema.safeParse(searchParams.get("attempt"));
    return {
      after: after.data,
      attempt: number === undefined ? undefined : { client: searchParams.get("client") ?? "", number },
      framing: new NativeFraming(offersBinary(request), searchParams.get("notices") === "1"),
    };
  },

  upgrade(request, webSocket) {
    const headers = offersBinary(request) ? { "sec-websocket-protocol": BINARY_SUBPROTOCOL } : undefined;
    return new Response(null, { status: 101, webSocket, ...(headers && { headers }) });
  },

  refuse(request, failure) {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    sayFarewell(server, refusal(failure));
    return this.upgrade(request, client);
  },
};
