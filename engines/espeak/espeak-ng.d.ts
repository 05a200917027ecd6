/** What we use of the package, which ships no types of its own. */
declare module "@echogarden/espeak-ng-emscripten" {
  export interface EspeakEvent {
    type: "word" | "sentence" | "end" | "phoneme" | "mark" | "play" | "samplerate" | "msg_terminated";
    /** Code points from the start of the text, from 1. */
    text_position: number;
    /** Code points. */
    word_length: number;
    /** From the start of the audio, in ms. */
    audio_position: number;
  }

  export interface EspeakVoice {
    name: string;
    /** The voice's file, such as "gmw/en-US". */
    identifier: string;
    /** Best first; the lower the number the better. */
    languages: { priority: number; name: string }[];
  }

  export class Espeak {
    /** Words per minute, 80 to 450; others are clamped. */
    rate: number;
    readonly samplerate: number;
    list_voices(): EspeakVoice[];
    /** 0 when the voice is set. */
    set_voice(identifier: string): number;
    /**
     * Calls back about every 100 ms of audio; stops when `callback` returns true. `text` lies in the module's heap, UTF-8
     * with a 0 at its end (the package also takes a string, which we must not give: heap-text.ts says why).
     */
    synthesize_and_get_phonemes(
      text: { ptr: number },
      callback: (audio: Int16Array<ArrayBuffer>, events: EspeakEvent[]) => boolean,
    ): string;
  }

  export interface EspeakModule {
    eSpeakNGWorker: new () => Espeak;
    /** Another array once the heap has grown. */
    readonly HEAPU8: Uint8Array;
    /** The address of so many free bytes in the heap. */
    _malloc(this: void, byteLength: number): number;
  }

  export default function load(options?: {
    print?: (line: string) => void;
    printErr?: (line: string) => void;
  }): Promise<EspeakModule>;
}
