/** Speech that keeps its provider's promises: it comes in time, and at the rate that was announced. */
import { Watchdog } from "../base/watchdog.ts";
import { ProviderError, type SpeechPiece } from "../providers/provider.ts";

export interface SpeechTimeouts {
  firstAudioMs: number;
  /** Between two pieces. */
  gapMs: number;
}

export interface SpeechPromises {
  timeouts: SpeechTimeouts;
  /** In Hz; undefined: the provider never said. */
  rateHz: number | undefined;
  /** Told how long the first audio took, in ms. */
  onFirstAudio: (ms: number) => void;
}

/**
 * The pieces of `speak`, a format event first; only time in which somebody waits for the next one counts.
 * @throws ProviderError `timeout`, `broken_stream` and `wrong_rate`.
 */
export async function* promisedSpeech(
  speak: (signal: AbortSignal) => AsyncIterable<SpeechPiece>,
  { timeouts, rateHz, onFirstAudio }: SpeechPromises,
  signal: AbortSignal,
): AsyncGenerator<SpeechPiece> {
  const watchdog = new Watchdog();
  let waitedMs = 0;
  let hasFormat = false;
  let hasAudio = false;
  const expect = () => {
    const what = hasAudio ? "further audio" : "first audio";
    const ms = hasAudio ? timeouts.gapMs : Math.max(0, timeouts.firstAudioMs - waitedMs);
    watchdog.expect(ms, () => new ProviderError("retry", "timeout", `no ${what} in time`));
  };
  try {
    let waitsSince = Date.now();
    expect();
    for await (const piece of speak(AbortSignal.any([signal, watchdog.signal]))) {
      watchdog.rest();
      waitedMs += Date.now() - waitsSince;
      if (piece.type === "event" && piece.event.type === "format") {
        checkRate(piece.event.sample_rate, rateHz);
        hasFormat = true;
      } else if (!hasFormat) {
        throw noFormat();
      } else if (piece.type === "audio" && piece.samples > 0 && !hasAudio) {
        hasAudio = true;
        onFirstAudio(waitedMs);
      }
      yield piece;
      waitsSince = Date.now();
      expect();
    }
    if (!hasFormat) throw noFormat();
    if (!hasAudio) onFirstAudio(waitedMs + Date.now() - waitsSince);
  } finally {
    watchdog.stop();
  }
}

function noFormat(): ProviderError {
  return new ProviderError("retry", "broken_stream", "its speech has no format");
}

function checkRate(rateHz: number, announcedHz: number | undefined): void {
  if (announcedHz === undefined || rateHz === announcedHz) return;
  const rates = `${rateHz} Hz, not the ${announcedHz} Hz that were announced`;
  throw new ProviderError("never", "wrong_rate", rates);
}
