/**
 * Which scripts eSpeak's voices read. It names the letters of any other, one by one ("Chinese letter"). Found by asking
 * eSpeak 1.52 for the phonemes of a word of each script with every voice; test/engines/espeak-scripts.test.ts asks again.
 */

/** Read by every voice: where a voice's language has no rules for them, those of another language take over. */
const BY_ALL = ["Latn", "Grek", "Hang", "Deva", "Beng", "Gujr", "Guru", "Knda", "Mlym", "Sinh", "Taml", "Armn", "Geor"];

/** Read by the voices of these languages alone, as eSpeak names languages. English voices spell Cyrillic letters. */
const BY_SOME: Record<string, string> = {
  Arab: "ar fa sd ug ur",
  Bopo: "cmn",
  Cher: "chr",
  Cyrl: "ba be bg bs cv en hr ka kaa kk ky lfn ltg lv mk nog ru sr tt uk uz",
  Ethi: "am ti",
  Hani: "cmn yue",
  Hebr: "he",
  Hira: "ja",
  Kana: "ja",
  Mymr: "my shn",
  Orya: "or",
  Telu: "te",
  Thai: "th",
};

/** The scripts, by their ISO 15924 codes, whose letters the voice with this code of eSpeak's ("en-us") reads. */
export function scriptsOf(code: string): string[] {
  const [language] = code.split("-");
  const own = Object.entries(BY_SOME).filter(([, languages]) => languages.split(" ").includes(language!));
  return [...BY_ALL, ...own.map(([script]) => script)].toSorted();
}
