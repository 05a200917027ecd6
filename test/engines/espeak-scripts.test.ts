/** What engines/espeak/scripts.ts says of eSpeak's voices, asked of eSpeak itself. */
import loadEspeak from "@echogarden/espeak-ng-emscripten";
import { beforeAll, describe, expect, test } from "vitest";
import { heapText } from "../../engines/espeak/heap-text.ts";
import { scriptsOf } from "../../engines/espeak/scripts.ts";
import { describeVoices } from "../../engines/espeak/voices.ts";

const espeakModule = await loadEspeak({ print: () => {}, printErr: () => {} });
const espeak = new espeakModule.eSpeakNGWorker();
let voices: ReturnType<typeof describeVoices>;

beforeAll(() => {
  voices = describeVoices(espeak.list_voices());
});

/** What eSpeak says for the text, in phonemes a character. A word has two or three; "Chinese letter" has eight or more. */
function phonemesPerCharacter(voice: string, text: string): number {
  espeak.set_voice(voices.get(voice)!.identifier);
  espeak.rate = 450;
  const phonemes = espeak.synthesize_and_get_phonemes(heapText(espeakModule, text), () => false);
  const spoken = phonemes.replaceAll(/\(.*?\)/g, "").split(/[_ ]+/);
  return spoken.filter((phoneme) => phoneme !== "").length / text.length;
}

const WORDS: Record<string, string> = {
  Arab: "سلام",
  Cyrl: "мама",
  Ethi: "ሰላም",
  Hang: "한국어",
  Hani: "中人",
  Hebr: "שלום",
  Hira: "たべる",
  Kana: "カメラ",
  Deva: "नमक",
  Thai: "สวัสดี",
  Taml: "மரம்",
  Telu: "అమ్మ",
};

describe.each(["ja", "cmn", "ru", "ar", "he", "th", "de", "ko"])("the voice %s", (voice) => {
  test.each(Object.entries(WORDS))("reads %s, or does not, as it says", (script, word) => {
    const phonemes = phonemesPerCharacter(voice, word);
    if (scriptsOf(voice).includes(script)) expect(phonemes).toBeLessThan(4);
    else expect(phonemes).toBeGreaterThan(4);
  });
});

/** What a language is written in, where its script's name says several or another. */
const PARTS: Record<string, string[]> = { Jpan: ["Hira", "Kana"], Kore: ["Hang"], Hans: ["Hani"], Hant: ["Hani"] };

test("each voice reads the script of its own language; that of Hakka expects Latin letters", () => {
  const unread = Array.from(voices.values(), ({ voice: { id, language, scripts } }) => {
    const { script = "Latn" } = new Intl.Locale(language).maximize();
    return (PARTS[script] ?? [script]).every((part) => scripts.includes(part)) ? [] : [id];
  });
  expect(unread.flat().toSorted()).toEqual(["hak"]);
});
