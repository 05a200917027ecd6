/** Turns the tape into packets of the format the client asked for. */
import { EnvelopeDecoder } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE, encodedRate, FORMAT_TRAITS } from "../../protocol/formats.ts";
import { wavHeader } from "../../protocol/wav.ts";
import type { SpeechRequest } from "./speech-request.ts";
import { transcode, type Packet, type TranscoderLimits } from "../upstreams/transcoder.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import type { Tape } from "./tape.ts";

/** Frames of raw PCM a second, as the transcoder makes them too. */
const FRAMES_PER_SECOND = 50;

export interface Encoding {
  /** Of the packets' media time, in Hz. */
  sampleRateHz: number;
  packets: AsyncIterable<Packet>;
}

/** PCM at the provider's own rate, in frames of 20 ms whatever the pieces it was recorded in. */
async function* rawFrames(tape: Tape, signal: AbortSignal): AsyncGenerator<Packet> {
  const frame = new Uint8Array(Math.floor(tape.sampleRateHz / FRAMES_PER_SECOND) * BYTES_PER_SAMPLE);
  let filled = 0;
  const envelopes = new EnvelopeDecoder();
  for await (const bytes of tape.read(signal)) {
    for (const envelope of envelopes.push(bytes)) {
      if (envelope.type !== "audio") continue;
      for (let rest = envelope.data; rest.length > 0;) {
        const taken = rest.subarray(0, frame.length - filled);
        frame.set(taken, filled);
        filled += taken.length;
        rest = rest.subarray(taken.length);
        if (filled < frame.length) break;
        yield { samples: filled / BYTES_PER_SAMPLE, data: frame.slice() };
        filled = 0;
      }
    }
  }
  if (filled > 0) yield { samples: filled / BYTES_PER_SAMPLE, data: frame.slice(0, filled) };
}

async function* withHeader(header: Uint8Array, packets: AsyncIterable<Packet>): AsyncGenerator<Packet> {
  yield { samples: 0, data: header };
  yield* packets;
}

/**
 * The packets of the tape, as it is made; the same for every listener.
 */
export function encodeTape(
  tape: Tape,
  { format, sampleRateHz }: SpeechRequest,
  transcoder: Upstream | undefined,
  limits: TranscoderLimits,
  signal: AbortSignal,
): Encoding {
  if (FORMAT_TRAITS[format].isRawPcm && sampleRateHz === tape.sampleRateHz) {
    const frames = rawFrames(tape, signal);
    return { sampleRateHz, packets: format === "wav" ? withHeader(wavHeader(sampleRateHz), frames) : frames };
  }
  const target = { format, sampleRateHz, inputRateHz: tape.sampleRateHz };
  const packets = transcode(transcoder, target, () => tape.read(signal), limits, signal);
  return { sampleRateHz: encodedRate(format, sampleRateHz), packets };
}
