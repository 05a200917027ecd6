/**
 * Where the messages of a stream end, and with them the pages of an Ogg stream: a function of media time alone, so that
 * another encoder, which goes on in the middle of the stream, is cut at the same places.
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

/**
 * The sample at which the message that starts at `startSample` ends, unless the stream ends before it. Both are counted
 * from the start of the stream.
 * @param frameSamples samples in one packet of the codec, or in one frame of raw audio.
 */
export function messageEnd(startSample: number, frameSamples: number, sampleRateHz: number): number {
  const startFrame = startSample / frameSamples;
  let endFrame = 0;
  for (const ms of FIRST_MESSAGES_MS) {
    endFrame += framesIn(ms, frameSamples, sampleRateHz);
    if (endFrame > startFrame) return endFrame * frameSamples;
  }
  const step = framesIn(MESSAGE_MS, frameSamples, sampleRateHz);
  return (endFrame + (Math.floor((startFrame - endFrame) / step) + 1) * step) * frameSamples;
}
