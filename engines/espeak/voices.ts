/** eSpeak NG's voices as the engine contract names them. */
import type { EspeakVoice } from "@echogarden/espeak-ng-emscripten";
import { languagesMatch } from "../../protocol/language.ts";
import { scriptsOf } from "./scripts.ts";

export interface Voice {
  id: string;
  name: string;
  /** Canonical BCP 47. */
  language: string;
  /** All it speaks, `language` first; absent when that is the only one. */
  languages?: string[];
  /** ISO 15924 codes of the scripts that it reads. */
  scripts: string[];
}

/** Where eSpeak's own code means something else in BCP 47 (ru-CL is Russian as in Chile), or nothing. */
const LANGUAGE_OF_CODE: Record<string, string> = {
  "ca-ba": "ca",
  "ca-nw": "ca",
  "ca-va": "ca",
  piqd: "tlh",
  py: "art-x-pyash",
  "ru-cl": "ru",
};

/** Canonical BCP 47, without the last subtags where only those are unknown to it; undefined when it is no language. */
export function canonicalLanguage(code: string): string | undefined {
  const subtags = (LANGUAGE_OF_CODE[code] ?? code).split("-");
  for (; subtags.length > 0; subtags.pop()) {
    try {
      return Intl.getCanonicalLocales(subtags.join("-"))[0];
    } catch {
      // one subtag less, then
    }
  }
  return undefined;
}

/** Whether a voice speaks `language`, a tag as a client wrote it. */
export function speaks(voice: Voice, language: string): boolean {
  let canonical;
  try {
    [canonical = language] = Intl.getCanonicalLocales(language); // cmn is zh
  } catch {
    return false;
  }
  return (voice.languages ?? [voice.language]).some((spoken) => languagesMatch(spoken, canonical));
}

/** A voice that speaks en-US is also listed for en: the longer tag says both. */
function withoutPrefixes(tags: string[]): string[] {
  return tags.filter((tag) => !tags.some((other) => other !== tag && other.startsWith(`${tag}-`)));
}

/** The voices by id (eSpeak's language codes in lower case), each with the identifier that selects it in eSpeak. */
export function describeVoices(espeakVoices: EspeakVoice[]): Map<string, { voice: Voice; identifier: string }> {
  const voices = new Map<string, { voice: Voice; identifier: string }>();
  for (const { name, identifier, languages: codes } of espeakVoices) {
    const file = identifier.slice(identifier.lastIndexOf("/") + 1).toLowerCase();
    const code = codes[0]?.name.toLowerCase() ?? file;
    const known = codes.map((each) => canonicalLanguage(each.name.toLowerCase())).filter((tag) => tag !== undefined);
    const languages = withoutPrefixes([...new Set(known)]);
    const language = languages[0];
    if (language === undefined) continue;
    const id = voices.has(code) ? file : code; // two voices read Cantonese, and differ in how they read Latin letters
    const more = languages.length > 1 ? { languages } : {};
    voices.set(id, { voice: { id, name: name.trim(), language, ...more, scripts: scriptsOf(code) }, identifier });
  }
  return voices;
}
