import {
  AV_CHANNEL_LAYOUT_MONO,
  AV_CODEC_CAP_VARIABLE_FRAME_SIZE,
  AV_CODEC_FLAG_BITEXACT,
  AV_LOG_ERROR,
  AV_SAMPLE_FMT_S16,
  AV_SAMPLE_FMT_S16P,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  type FFAudioEncoder,
} from "node-av/constants";
import { Codec, CodecContext, CodecParameters, FFmpegError, Frame, Log, Packet, Rational } from "node-av/lib";
import { BYTES_PER_SAMPLE, type AudioFormat } from "../protocol/formats.ts";

Log.setLevel(AV_LOG_ERROR); // an encoder freed in the middle of a stream is no news

/** Bytes in the form of a format, and the samples a decoder makes of them. */
export interface Encoded {
  samples: number;
  data: Uint8Array;
}

/** Turns frames of s16le mono into packets. */
export interface AudioCodec extends Disposable {
  /** Samples in a frame; only the last may have fewer. */
  readonly frameSamples: number;
  /** Samples a decoder puts out before the first of the input. */
  readonly delaySamples: number;
  /** Codec-specific data that a container's header needs. */
  readonly extraData: Uint8Array;
  /** @param isRunUp nobody will hear what comes of this frame: it only brings the codec to its state. */
  encode(frame: Uint8Array, isRunUp: boolean): Iterable<Encoded>;
  /** What the encoder still holds. */
  flush(): Iterable<Encoded>;
}

interface EncoderRecipe {
  encoder: FFAudioEncoder;
  /** Chosen by us where the codec leaves it open. */
  framesPerSecond?: number;
  /** A decoder makes whole frames of every packet, also of the padded last. */
  wholeFrames?: true;
  options?: Record<string, string>;
}

/** A format's codec; "celt" is Opus without SILK, and with 4 ms less delay. */
type CodecName = AudioFormat | "celt";

/** Raw formats leave in frames of 20 ms. */
const RAW_FRAMES_PER_SECOND = 50;

const RECIPES: Record<Exclude<CodecName, "pcm16" | "wav">, EncoderRecipe> = {
  mulaw: { encoder: "pcm_mulaw" as FFAudioEncoder, framesPerSecond: RAW_FRAMES_PER_SECOND },
  alaw: { encoder: "pcm_alaw" as FFAudioEncoder, framesPerSecond: RAW_FRAMES_PER_SECOND },
  opus: {
    encoder: "libopus" as FFAudioEncoder,
    wholeFrames: true,
    options: { application: "audio", frame_duration: "20" },
  },
  celt: {
    encoder: "libopus" as FFAudioEncoder,
    wholeFrames: true,
    options: { application: "lowdelay", frame_duration: "20" },
  },
  // The bit reservoir lets later frames fill earlier ones: at 8 kb/s it held back 25 frames, 0.6 s.
  mp3: { encoder: "libmp3lame" as FFAudioEncoder, wholeFrames: true, options: { reservoir: "0" } },
  // Without AV_CODEC_FLAG_GLOBAL_HEADER fdk-aac writes ADTS itself.
  aac: { encoder: "libfdk_aac" as FFAudioEncoder, wholeFrames: true },
  // FFmpeg's own choice is about 105 ms, which sound would wait for.
  flac: { encoder: "flac" as FFAudioEncoder, framesPerSecond: 20 },
};

/** @param bitrate bits per second; ignored by formats that have none. */
export function openCodec(format: CodecName, sampleRateHz: number, bitrate: number | undefined): AudioCodec {
  if (format === "pcm16" || format === "wav") return new RawPcm(sampleRateHz);
  return new FFmpegCodec(RECIPES[format], sampleRateHz, bitrate);
}

class RawPcm implements AudioCodec {
  readonly frameSamples: number;
  readonly delaySamples = 0;
  readonly extraData = new Uint8Array(0);

  constructor(sampleRateHz: number) {
    this.frameSamples = Math.floor(sampleRateHz / RAW_FRAMES_PER_SECOND);
  }

  *encode(frame: Uint8Array): Generator<Encoded> {
    yield { samples: frame.length / BYTES_PER_SAMPLE, data: frame.slice() };
  }

  flush(): Encoded[] {
    return [];
  }

  [Symbol.dispose](): void {}
}

class FFmpegCodec implements AudioCodec {
  readonly frameSamples: number;
  readonly delaySamples: number;
  readonly extraData: Uint8Array;
  readonly #wholeFrames: boolean;
  readonly #context = new CodecContext();
  readonly #frame = new Frame();
  readonly #packet = new Packet();
  #position = 0n;

  constructor(recipe: EncoderRecipe, sampleRateHz: number, bitrate: number | undefined) {
    try {
      this.#wholeFrames = recipe.wholeFrames === true;
      openContext(this.#context, recipe, sampleRateHz, bitrate);
      const { framesPerSecond } = recipe;
      this.frameSamples = framesPerSecond ? Math.floor(sampleRateHz / framesPerSecond) : this.#context.frameSize;
      this.delaySamples = initialPadding(this.#context);
      this.extraData = this.#context.extraData ?? new Uint8Array(0);
      this.#packet.alloc();
      this.#frame.alloc();
      this.#frame.nbSamples = this.frameSamples;
      this.#frame.format = this.#context.sampleFormat;
      this.#frame.sampleRate = sampleRateHz;
      this.#frame.channelLayout = AV_CHANNEL_LAYOUT_MONO;
      FFmpegError.throwIfError(this.#frame.getBuffer(), "av_frame_get_buffer");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  *encode(frame: Uint8Array): Generator<Encoded> {
    const samples = frame.length / BYTES_PER_SAMPLE;
    FFmpegError.throwIfError(this.#frame.makeWritable(), "av_frame_make_writable");
    this.#frame.nbSamples = samples;
    FFmpegError.throwIfError(
      this.#frame.fromBuffer(Buffer.from(frame.buffer, frame.byteOffset, frame.length)),
      "frame",
    );
    this.#frame.pts = this.#position;
    this.#position += BigInt(samples);
    FFmpegError.throwIfError(this.#context.sendFrameSync(this.#frame), "avcodec_send_frame");
    yield* this.#packets();
  }

  *flush(): Generator<Encoded> {
    FFmpegError.throwIfError(this.#context.sendFrameSync(null), "avcodec_send_frame");
    yield* this.#packets();
  }

  *#packets(): Generator<Encoded> {
    for (;;) {
      const result = this.#context.receivePacketSync(this.#packet);
      if (result === AVERROR_EAGAIN || result === AVERROR_EOF) return;
      FFmpegError.throwIfError(result, "avcodec_receive_packet");
      const { data } = this.#packet; // a copy
      const samples = this.#wholeFrames ? this.frameSamples : Number(this.#packet.duration);
      this.#packet.unref();
      if (data && data.length > 0) yield { samples, data }; // flac ends with an empty packet
    }
  }

  [Symbol.dispose](): void {
    this.#packet.free();
    this.#frame.free();
    this.#context.freeContext();
  }
}

function openContext(context: CodecContext, recipe: EncoderRecipe, sampleRateHz: number, bitrate?: number): void {
  const codec = Codec.findEncoderByName(recipe.encoder);
  if (!codec) throw new Error(`this build of FFmpeg has no ${recipe.encoder}`);
  context.allocContext3(codec);
  context.sampleRate = sampleRateHz;
  context.channelLayout = AV_CHANNEL_LAYOUT_MONO;
  context.sampleFormat = recipe.encoder === "libmp3lame" ? AV_SAMPLE_FMT_S16P : AV_SAMPLE_FMT_S16; // the same for mono
  context.timeBase = new Rational(1, sampleRateHz);
  context.setFlags(AV_CODEC_FLAG_BITEXACT);
  if (bitrate !== undefined) context.bitRate = BigInt(bitrate);
  // Told a frame size, a codec that takes any pads its last frame to it.
  if (recipe.framesPerSecond && !codec.hasCapabilities(AV_CODEC_CAP_VARIABLE_FRAME_SIZE)) {
    context.frameSize = Math.floor(sampleRateHz / recipe.framesPerSecond);
  }
  // Not as a Dictionary given to open2Sync: node-av 6.1.1 keeps a pointer that FFmpeg has freed (it crashed).
  for (const [name, value] of Object.entries(recipe.options ?? {})) {
    FFmpegError.throwIfError(context.setOption(name, value), name);
  }
  FFmpegError.throwIfError(context.open2Sync(codec, null), "avcodec_open2");
}

/** AVCodecContext.initial_padding, which node-av shows only by way of the parameters. */
function initialPadding(context: CodecContext): number {
  const parameters = new CodecParameters();
  try {
    parameters.alloc();
    FFmpegError.throwIfError(parameters.fromContext(context), "avcodec_parameters_from_context");
    return parameters.initialPadding;
  } finally {
    parameters.free();
  }
}
