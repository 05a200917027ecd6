/** A client that takes a stream as fast as it comes, acks it and keeps nothing. */
import { WebSocket } from "ws";

export interface Played {
  messages: number;
  /** As `eos` says. */
  bytes: number;
  durationMs: number;
}

/**
 * @param onMessage called with the seq of each audio message and when its audio begins, in ms; awaited before the ack.
 * @throws Error unless the stream ends with `eos`.
 */
export function playFast(wsUrl: string, onMessage?: (seq: number, ptsMs: number) => Promise<void>): Promise<Played> {
  // Uncompressed: else the time goes into compression.
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    let played: Played | undefined;
    let last = "nothing";
    const take = async (data: Buffer) => {
      const message = JSON.parse(data.toString("latin1"));
      if (message.type === "eos") {
        played = { messages: message.seq, bytes: message.bytes, durationMs: message.duration_ms };
      } else if (message.type === "audio") {
        await onMessage?.(message.seq, message.pts_ms);
        socket.send(`{"type":"ack","seq":${message.seq}}`);
      } else last = data.toString();
    };
    let taken = Promise.resolve();
    socket.on("message", (data: Buffer) => void (taken = taken.then(() => take(data))).catch(reject));
    socket.on("error", reject);
    socket.on("close", (code) => {
      taken.then(
        () => (played ? resolve(played) : reject(new Error(`ended with ${last}, close code ${code}`))),
        reject,
      );
    });
  });
}
