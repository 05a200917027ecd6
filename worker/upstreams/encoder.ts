/** One encoded stream, made by as many encoders of the transcoder as it takes. */
import { encodedRate, resumePoint } from "../../protocol/formats.ts";
import { GatewayError } from "../base/errors.ts";
import type { PcmBuffer } from "./pcm-buffer.ts";
import { transcode, type Encoded, type TranscodeTarget, type TranscoderLimits } from "./transcoder.ts";
import type { Upstream } from "./upstream.ts";

/** Encoders that may fail one after the other without getting the stream any further. */
const ATTEMPTS = 3;

export interface Encoder {
  /** Undefined: there is none. */
  transcoder: Upstream | undefined;
  target: TranscodeTarget;
  limits: TranscoderLimits;
  /** An encoder was lost, and its successor is given `samples` of the PCM for a second time. */
  onLost: (samples: number) => void;
}

/** The PCM sample from which an encoder must hear a stream that goes on at `outputSample`. */
export function runUpStart({ format, sampleRateHz }: TranscodeTarget, pcmRateHz: number, outputSample: number): number {
  return resumePoint(format, sampleRateHz, pcmRateHz, outputSample).inputSample;
}

/** Where a stream stands that an encoder goes on with. */
export interface StreamEnd {
  /** At the encoder's rate; a packet ends there. */
  outputSample: number;
  /** What came last: an encoder of Opus goes on after it according to its mode. Undefined: nothing did. */
  lastPacket: Uint8Array | undefined;
}

/**
 * The stream from its end on. Where an encoder is lost, the next one goes on behind its last packet: it hears a run-up of
 * PCM, which `pcm` keeps, so that the seam is not heard.
 * @throws GatewayError of {@link transcode}, and the signal's reason.
 */
export async function* encode(
  { transcoder, target, limits, onLost }: Encoder,
  pcm: PcmBuffer,
  end: StreamEnd,
  signal: AbortSignal,
): AsyncGenerator<Encoded> {
  const pcmPerSample = pcm.rateHz / encodedRate(target.format, target.sampleRateHz);
  let { outputSample, lastPacket } = end;
  let delaySamples = 0;
  const inputSample = () => runUpStart(target, pcm.rateHz, outputSample);
  // Nothing comes back for a run-up, which may be longer than what may be unanswered.
  pcm.answer(outputSample * pcmPerSample, inputSample());
  for (let attempts = ATTEMPTS; ;) {
    const from = outputSample;
    const point = { inputSample: inputSample(), outputSample, lastPacket };
    try {
      for await (const piece of transcode(transcoder, target, pcm, point, limits, signal)) {
        if (piece.type === "event") {
          delaySamples = piece.event.delay ?? 0;
        } else {
          if (piece.samples === 0 && lastPacket) continue; // the header again: the encoder before was lost right behind it
          lastPacket = piece.data;
          outputSample += piece.samples;
          pcm.answer(outputSample * pcmPerSample, inputSample());
        }
        yield piece;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      // Lost behind its last packet, which may be a short one: none can go on there. Rates may leave less than a sample.
      const isWhole = pcm.isFinished && outputSample - delaySamples > pcm.end / pcmPerSample - 1;
      if (outputSample > from && isWhole) return;
      const isLost = error instanceof GatewayError && error.failure.reason === "transcoder_failed";
      attempts = outputSample > from ? ATTEMPTS : attempts - 1;
      if (!isLost || attempts === 0) throw error;
      onLost(Math.max(0, pcm.furthestRead - inputSample()));
    }
  }
}
