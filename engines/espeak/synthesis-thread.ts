/** A worker thread with an eSpeak of its own: a task comes in, envelopes go out while it is spoken. */
import { parentPort } from "node:worker_threads";
import loadEspeak, { type EspeakVoice } from "@echogarden/espeak-ng-emscripten";
import { encodeAudio, encodeEvent } from "../../protocol/envelope.ts";
import { BYTES_PER_SAMPLE } from "../../protocol/formats.ts";
import { HeapSnapshot } from "./heap-snapshot.ts";
import { heapText } from "./heap-text.ts";
import { PieceFlow } from "./piece-flow.ts";
import { pauseAfterMs, speakable, wordLocator } from "./spoken-text.ts";
import type { JobMessage, ThreadMessage } from "./thread-pool.ts";

/** Words per minute at speed 1: eSpeak's own default. It goes from 80 to 450 and clamps what is asked beyond. */
const NORMAL_RATE = 175;

export interface SynthesisTask {
  text: string;
  /** eSpeak's identifier of the voice. */
  identifier: string;
  /** 1 is normal. */
  speed: number;
}

export interface EspeakReady {
  /** Hz. */
  sampleRate: number;
  voices: EspeakVoice[];
}

const quiet = () => {}; // it remarks on odd phonemes, one bare line each
const espeakModule = await loadEspeak({ print: quiet, printErr: quiet });
const espeak = new espeakModule.eSpeakNGWorker();
const sampleRate = espeak.samplerate;
const port = parentPort!;

function post(message: ThreadMessage<EspeakReady>): void {
  port.postMessage(message, message instanceof Uint8Array ? [message.buffer] : []);
}

function synthesize({ text, identifier, speed }: SynthesisTask, emit: (bytes: Uint8Array<ArrayBuffer>) => boolean) {
  if (espeak.set_voice(identifier) !== 0) throw new Error(`eSpeak does not take its own voice ${identifier}`);
  espeak.rate = Math.round(NORMAL_RATE * speed);
  const locate = wordLocator(text);
  let samples = 0;
  // Its sibling `synthesize` reads the text as SSML with [[phonemes]]; this one takes it as plain text.
  espeak.synthesize_and_get_phonemes(heapText(espeakModule, speakable(text)), (audio, events) => {
    for (const event of events) {
      const range = event.type === "word" && locate(event.text_position, event.word_length);
      if (!range) continue;
      // Whole milliseconds may round to before this piece.
      const sample = Math.max(samples, Math.round((event.audio_position * sampleRate) / 1000));
      if (!emit(encodeEvent({ type: "word", ...range, sample }))) return true;
    }
    if (audio.length === 0) return false;
    samples += audio.length;
    return !emit(encodeAudio(audio.length, new Uint8Array(audio.buffer)));
  });
  // eSpeak pauses between sentences but not after the last one, and a text may come here sentence by sentence.
  const pause = Math.round((pauseAfterMs(text) / speed / 1000) * sampleRate);
  if (pause > 0) emit(encodeAudio(pause, new Uint8Array(pause * BYTES_PER_SAMPLE)));
}

// Until V8 has compiled what a sentence needs, the first one takes 150 ms instead of 30.
const warmUp = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep.";
synthesize({ text: warmUp, identifier: "gmw/en-US", speed: 1 }, () => true);

// eSpeak remembers: its noise, its voice, its dictionaries. Put back to this point before each task, it says the same
// for the same request, whatever it has spoken or broken off since, in every thread and process.
const warmedUp = new HeapSnapshot(espeakModule);

port.on("message", ({ task, flow }: JobMessage<SynthesisTask>) => {
  const pieces = new PieceFlow(flow);
  warmedUp.restore();
  synthesize(task, (bytes) => {
    const { byteLength } = bytes; // 0 once posted
    post(bytes);
    return pieces.proceed(byteLength);
  });
  post({ done: true });
});
post({ ready: { sampleRate, voices: espeak.list_voices() } });
