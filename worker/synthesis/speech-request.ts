/** A client's request, judged against its providers: the one description of a session's speech that all behind it use. */
import { nearestRate, type AudioFormat } from "../../protocol/formats.ts";
import { languagesMatch } from "../../protocol/language.ts";
import { readsAnything } from "../../protocol/scripts.ts";
import type { Region } from "../upstreams/region.ts";
import { GatewayError } from "../base/errors.ts";
import type { Catalog, Voice } from "../providers/provider.ts";

/** One of the voices that may speak a session's text. */
export interface SpeakingVoice {
  provider: string;
  voice: string;
  /** Canonical BCP 47; undefined: its own. */
  language?: string;
  /** Of its audio, in Hz; undefined: its provider has never said. */
  rateHz?: number;
}

export interface SpeechRequest {
  /** The one that was asked for, then its fallbacks. */
  voices: readonly [SpeakingVoice, ...SpeakingVoice[]];
  /** Trimmed, NFC. */
  text: string;
  /** Longest utterance that every voice takes, in UTF-16 code units. */
  maxChars: number;
  /** Of the audio that is recorded, in Hz: that of the first voice whose provider is known. */
  rateHz: number;
  format: AudioFormat;
  /** Of the audio the client gets, in Hz. */
  sampleRateHz: number;
  /** Where the client is: its audio is made there. */
  region: Region;
}

export interface VoiceChoice {
  provider: string;
  voice: string;
}

/** What a client asks for, before it is judged against the providers. */
export interface SpeechAsked {
  /** The voice that is asked for, then its fallbacks. */
  voices: readonly VoiceChoice[];
  /** Trimmed, NFC. */
  text: string;
  format: AudioFormat;
  /** In Hz; undefined: the voice's own rate, or the nearest the format has. */
  sampleRateHz: number | undefined;
  /** Canonical BCP 47; undefined: the voice's own. */
  language: string | undefined;
}

/** An error lists the allowed values up to this many. */
const LISTED = 20;

export function listed(values: readonly string[]): string {
  const more = values.length - LISTED;
  return values.slice(0, LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Whether the voice has a language that matches `language`, a canonical tag. */
export function hasLanguage(voice: Voice, language: string): boolean {
  return voice.languages.some((spoken) => languagesMatch(spoken, language));
}

function wrong(field: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${field}: ${message}`, { field });
}

/** @param at what comes before the names of the voice's fields: "" or "fallback.0.". */
function judge(
  asked: VoiceChoice,
  { text, language }: Pick<SpeechAsked, "text" | "language">,
  catalog: Catalog | undefined,
  at: string,
): SpeakingVoice {
  if (!catalog) return { ...asked, ...(language !== undefined && { language }) };
  const voice = catalog.voices.find(({ id }) => id === asked.voice);
  if (!voice) {
    const voices = listed(catalog.voices.map(({ id }) => id));
    const message = `provider ${asked.provider} has no voice ${JSON.stringify(asked.voice)}; it has ${voices}`;
    throw wrong(`${at}voice`, message);
  }
  if (language !== undefined && !hasLanguage(voice, language)) {
    const message = `voice ${voice.id} does not speak ${language}; it speaks ${listed(voice.languages)}`;
    throw wrong(at ? `${at}voice` : "language", message);
  }
  if (voice.scripts && !readsAnything(text, voice.scripts)) {
    const message = `voice ${voice.id} cannot read it; it reads the scripts ${voice.scripts.join(", ")}`;
    const field = at ? `${at}voice` : "text";
    throw new GatewayError("nothing_to_speak", `${field}: ${message}`, { field });
  }
  return {
    provider: asked.provider,
    voice: voice.id,
    language: language ?? voice.languages[0],
    rateHz: catalog.sampleRateHz,
  };
}

/**
 * @param catalogs one for each of the voices, at least one of them known. A voice whose provider has never answered is
 * taken on trust: if it is not there, the next one takes over from it.
 * @throws GatewayError `invalid_request`, or `nothing_to_speak` of a text that a voice cannot read, naming the field.
 */
export function toSpeechRequest(
  asked: SpeechAsked,
  catalogs: readonly (Catalog | undefined)[],
  region: Region,
): SpeechRequest {
  const { voices, text, format, sampleRateHz } = asked;
  const [first, ...others] = voices.map((voice, i) =>
    judge(voice, asked, catalogs[i], i === 0 ? "" : `fallback.${i - 1}.`),
  );
  const rateHz = catalogs.find((catalog) => catalog !== undefined)!.sampleRateHz;
  return {
    voices: [first!, ...others],
    text,
    maxChars: Math.min(...catalogs.flatMap((catalog) => catalog?.maxChars ?? [])),
    rateHz,
    format,
    sampleRateHz: sampleRateHz ?? nearestRate(format, rateHz),
    region,
  };
}
