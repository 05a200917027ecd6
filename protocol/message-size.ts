/**
 * Where the messages of a stream end, and with them the pages of an Ogg stream: a function of media time alone, so that
 * another encoder, which goes on in the middle of the stream, is cut at the same places.
 *
 * All positions are in samples from the start of the stream; `frameSamples` is one packet of the codec, or one frame of
 * raw audio.
 */

/**
 * Longest audio of the first messages, and of all that follow, in ms. A listener without a buffer, whose source speaks at
 * real time, has to wait for a message by as much as it is longer than the one before it: so they grow step by step.
 */
const FIRST_MESSAGES_MS = [20, 20, 40, 60, 80] as const;
const MESSAGE_MS = 100;

/** Whole frames in `ms`, at least one. */
function framesIn(ms: number, frameSamples: number, sampleRateHz: number): number {
  return Math.max(1, Math.floor((ms * sampleRateHz) / 1000 / frameSamples));
}

/** How many messages end at or before `sample`. */
export function messagesBefore(sample: number, frameSamples: number, sampleRateHz: number): number {
  const frame = sample / frameSamples;
  let endFrame = 0;
  for (const [count, ms] of FIRST_MESSAGES_MS.entries()) {
    endFrame += framesIn(ms, frameSamples, sampleRateHz);
    if (endFrame > frame) return count;
  }
  return FIRST_MESSAGES_MS.length + Math.floor((frame - endFrame) / framesIn(MESSAGE_MS, frameSamples, sampleRateHz));
}

/** The sample at which the message that holds `sample` ends, unless the stream ends before it. */
export function messageEnd(sample: number, frameSamples: number, sampleRateHz: number): number {
  const count = messagesBefore(sample, frameSamples, sampleRateHz) + 1;
  const first = FIRST_MESSAGES_MS.slice(0, count).map((ms) => framesIn(ms, frameSamples, sampleRateHz));
  const more = (count - first.length) * framesIn(MESSAGE_MS, frameSamples, sampleRateHz);
  return (first.reduce((sum, frames) => sum + frames, 0) + more) * frameSamples;
}
