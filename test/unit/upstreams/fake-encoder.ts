/** A transcoder over real HTTP that encodes a sample as itself, in packets of ten, and fails where it is told to. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { decodeEnvelopes, encodeAudio, encodeEnd, encodeEvent } from "../../../protocol/envelope.ts";
import { countingPcm } from "../bytes.ts";
import { fakeServer, type FakeServer } from "../fake-server.ts";

const FRAME = 10;

/** When an encoder is lost: once it has given so many packets; "never" if it has its way. */
export type Fault = { afterPackets: number; by: "cut" | "silence" | "error" } | "never";

export interface FakeEncoder extends FakeServer {
  /** What each encoder was asked to go on from. */
  readonly points: { input: number; output: number }[];
  /** PCM that each was sent, in samples. */
  readonly sent: number[];
}

/** @param faults of the first encoders; those that follow have none. */
export async function fakeEncoder(faults: readonly Fault[], headerBytes = 0): Promise<FakeEncoder> {
  const points: FakeEncoder["points"] = [];
  const sent: number[] = [];

  async function encode(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url!, "http://x").searchParams;
    const [input, output] = [Number(query.get("input_sample")), Number(query.get("output_sample"))];
    const index = points.push({ input, output }) - 1;
    sent.push(0);
    const fault = faults[index] ?? "never";
    response.writeHead(200);
    response.write(encodeEvent({ type: "format", sample_rate: 1_000, delay: 0, frame: FRAME }));
    if (output === 0 && headerBytes > 0) response.write(encodeAudio(0, new Uint8Array(headerBytes)));
    let at = input - (input % FRAME);
    let packets = 0;
    const isLost = () => fault !== "never" && packets >= fault.afterPackets;
    const give = (samples: number) => {
      if (at >= output && !isLost()) {
        response.write(encodeAudio(samples, countingPcm(samples, at)));
        packets++;
      }
      at += samples;
    };
    for await (const envelope of decodeEnvelopes(request)) {
      if (envelope.type === "audio") sent[index]! += envelope.samples;
      const end = input + sent[index]!;
      while (at + FRAME <= end) give(FRAME);
      if (envelope.type === "end" && at < end) give(end - at);
      if (isLost()) break;
    }
    if (!isLost()) return void response.end(encodeEnd());
    const { by } = fault as Exclude<Fault, "never">;
    // What was written has been read by then.
    if (by === "cut") setTimeout(() => response.destroy(), 150);
    if (by === "error") response.end(encodeEnd({ reason: "crashed", message: "", retryable: true }));
  }

  const server = await fakeServer((request, response) => encode(request, response).catch(() => {}));
  return Object.assign(server, { points, sent });
}
