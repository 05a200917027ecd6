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

/**
 * The stream from `outputSample` on. Where an encoder is lost, the next one goes on behind its last packet: it hears a
 * run-up of PCM, which `pcm` keeps, so that the seam is not heard.
 * @throws GatewayError of {@link transcode}, and the signal's reason.
 */
export async function* encode(
  { transcoder, target, limits, onLost }: Encoder,
  pcm: PcmBuffer,
  outputSample: number,
  signal: AbortSignal,
): AsyncGenerator<Encoded> {
  const pcmPerSample = pcm.rateHz / encodedRate(target.format, target.sampleRateHz);
  let hasHeader = false;
  let delaySamples = 0;
  let at = outputSample;
  pcm.answer(at * pcmPerSample, 0); // nothing comes back for a run-up, which may be longer than what may be unanswered
  for (let attempts = ATTEMPTS, from = at; ; from = at) {
    const inputSample = runUpStart(target, pcm.rateHz, from);
    try {
      for await (const piece of transcode(
        transcoder,
        target,
        pcm,
        { inputSample, outputSample: from },
        limits,
        signal,
      )) {
        if (piece.type === "event") delaySamples = piece.event.delay ?? 0;
        else {
          if (piece.samples === 0 && hasHeader) continue; // the encoder before was lost right behind it
          hasHeader = true;
          at += piece.samples;
          pcm.answer(at * pcmPerSample, runUpStart(target, pcm.rateHz, at));
        }
        yield piece;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      // Lost behind its last packet, which may be a short one: none can go on there. Rates may leave less than a sample.
      const isWhole = pcm.isFinished && at - delaySamples > pcm.end / pcmPerSample - 1;
      if (at > from && isWhole) return;
      attempts = at > from ? ATTEMPTS : attempts - 1;
      const isLost = error instanceof GatewayError && error.failure.reason === "transcoder_failed";
      if (!isLost || attempts === 0) throw error;
      onLost(pcm.furthestRead - runUpStart(target, pcm.rateHz, at));
    }
  }
}
