/** A client's request, judged against its provider: the one description of a session's speech that all behind it use. */
import { nearestRate, type AudioFormat } from "../protocol/formats.ts";
import { GatewayError } from "./errors.ts";
import { languagesMatch } from "../protocol/language.ts";
import type { Catalog, Voice } from "./providers/provider.ts";
import type { CreateSessionBody } from "./schemas.ts";

export interface SpeechRequest {
  provider: string;
  voice: string;
  /** Trimmed, NFC. */
  text: string;
  /** Canonical BCP 47. */
  language: string;
  format: AudioFormat;
  /** Of the audio the client gets, in Hz. */
  sampleRateHz: number;
  /** Of the provider's audio, in Hz. */
  voiceRateHz: number;
  /** Longest utterance of the provider, in UTF-16 code units. */
  maxChars: number;
}

/** An error lists the allowed values up to this many. */
const LISTED = 20;

export function listed(values: readonly string[]): string {
  const more = values.length - LISTED;
  return values.slice(0, LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

export function speaks(voice: Voice, language: string): boolean {
  return voice.languages.some((spoken) => languagesMatch(spoken, language));
}

function wrong(field: keyof CreateSessionBody, message: string): GatewayError {
  return new GatewayError("invalid_request", `${field}: ${message}`, { field });
}

/** @throws GatewayError `invalid_request`, naming the field and what is allowed. */
export function toSpeechRequest(body: CreateSessionBody, catalog: Catalog): SpeechRequest {
  const voice = catalog.voices.find(({ id }) => id === body.voice);
  if (!voice) {
    const voices = listed(catalog.voices.map(({ id }) => id));
    throw wrong("voice", `provider ${body.provider} has no voice ${JSON.stringify(body.voice)}; it has ${voices}`);
  }
  const language = body.language ?? voice.languages[0];
  if (!speaks(voice, language)) {
    throw wrong("language", `voice ${voice.id} does not speak ${language}; it speaks ${listed(voice.languages)}`);
  }
  return {
    provider: body.provider,
    voice: voice.id,
    text: body.text,
    language,
    format: body.target_format,
    sampleRateHz: body.sample_rate_hz ?? nearestRate(body.target_format, catalog.sampleRateHz),
    voiceRateHz: catalog.sampleRateHz,
    maxChars: catalog.maxChars,
  };
}
