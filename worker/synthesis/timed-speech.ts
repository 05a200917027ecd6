/** Speech that must come in time. */
import { Watchdog } from "../base/watchdog.ts";
import { ProviderError, type SpeechPiece } from "../providers/provider.ts";

export interface SpeechTimeouts {
  firstAudioMs: number;
  /** Between two pieces. */
  gapMs: number;
}

/**
 * The pieces of `speak`; only time in which somebody waits for the next one counts.
 * @param onFirstAudio told how long the first audio took, in ms.
 * @throws ProviderError `timeout`.
 */
export async function* timedSpeech(
  speak: (signal: AbortSignal) => AsyncIterable<SpeechPiece>,
  timeouts: SpeechTimeouts,
  onFirstAudio: (ms: number) => void,
  signal: AbortSignal,
): AsyncGenerator<SpeechPiece> {
  const watchdog = new Watchdog();
  let waitedMs = 0;
  let hasAudio = false;
  const expect = () => {
    const [what, ms] = hasAudio ? ["further audio", timeouts.gapMs] : ["first audio", timeouts.firstAudioMs - waitedMs];
    watchdog.expect(Math.max(0, ms), () => new ProviderError("retry", "timeout", `no ${what} in time`));
  };
  try {
    let waitsSince = Date.now();
    expect();
    for await (const piece of speak(AbortSignal.any([signal, watchdog.signal]))) {
      watchdog.rest();
      waitedMs += Date.now() - waitsSince;
      if (piece.type === "audio" && piece.samples > 0 && !hasAudio) {
        hasAudio = true;
        onFirstAudio(waitedMs);
      }
      yield piece;
      waitsSince = Date.now();
      expect();
    }
    if (!hasAudio) onFirstAudio(waitedMs + Date.now() - waitsSince);
  } finally {
    watchdog.stop();
  }
}
