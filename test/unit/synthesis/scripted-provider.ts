/** A provider that does what a test has written down, request after request. */
import type { SpeechPiece, Utterance } from "../../../worker/providers/provider.ts";
import { ProviderError, type Catalog, type Provider } from "../../../worker/providers/provider.ts";
import { countingPcm } from "../bytes.ts";

/** A sample is a ms. */
export const RATE = 1_000;

export const format: SpeechPiece = { type: "event", event: { type: "format", sample_rate: RATE } };

export function audio(samples: number, from = 0): SpeechPiece {
  return { type: "audio", samples, data: countingPcm(samples, from) };
}

export function word(start: number, sample: number): SpeechPiece {
  return { type: "event", event: { type: "word", start, length: 1, sample } };
}

export const busy = (retryAfterMs?: number) => new ProviderError("when_free", "busy", "all lanes taken", retryAfterMs);
export const broken = () => new ProviderError("retry", "broken_stream", "secret detail of the upstream");
export const gone = () => new ProviderError("retry", "unreachable", "refused");

/** What a provider does at one request: say a piece, pause (ms), fail, or think until it is stopped. */
export type Step = SpeechPiece | number | ProviderError | "hang";

/** Says its format, then follows one script a request; the last one again for all further ones. */
export class ScriptedProvider implements Provider {
  readonly id = "scripted";
  readonly circuitName = "scripted";
  readonly asked: { at: number; utterance: Utterance }[] = [];
  stopped = 0;
  running = 0;
  readonly #scripts: readonly (readonly Step[])[];

  constructor(...scripts: readonly (readonly Step[])[]) {
    this.#scripts = scripts;
  }

  /** Of each request. */
  get texts(): string[] {
    return this.asked.map(({ utterance }) => utterance.text);
  }

  async catalog(): Promise<Catalog> {
    return { voices: [], sampleRateHz: RATE, maxChars: 100 };
  }

  async *speak(utterance: Utterance, signal: AbortSignal): AsyncGenerator<SpeechPiece> {
    const script = this.#scripts[Math.min(this.asked.length, this.#scripts.length - 1)]!;
    this.asked.push({ at: Date.now(), utterance });
    this.running++;
    try {
      if (script[0] !== format) yield format;
      for (const step of script) {
        if (step instanceof ProviderError) throw step;
        if (typeof step === "object") yield step;
        else await this.#think(step, signal);
      }
    } finally {
      this.running--;
    }
  }

  #think(step: number | "hang", signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = step === "hang" ? undefined : setTimeout(() => settle(resolve), step);
      const stop = () => {
        this.stopped++;
        settle(() => reject(signal.reason as Error));
      };
      const settle = (how: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        how();
      };
      signal.addEventListener("abort", stop);
    });
  }
}
