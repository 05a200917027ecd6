/** Decoders that share nothing with what encoded (but for AAC, which has no other here). */
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import { MPEGDecoder } from "mpg123-decoder";
import { AV_SAMPLE_FMT_FLTP, type FFDecoderCodec } from "node-av/constants";
import { Codec, CodecContext, FFmpegError, Frame, Packet } from "node-av/lib";
import { OggOpusDecoder } from "ogg-opus-decoder";
import type { AudioFormat } from "../../protocol/formats.ts";
import type { Transcoded } from "./client.ts";

export interface Decoded {
  samples: Float32Array;
  sampleRateHz: number;
}

export async function decode(format: AudioFormat, { format: announced, audio, bytes }: Transcoded): Promise<Decoded> {
  const sampleRateHz = announced.sample_rate;
  switch (format) {
    case "pcm16":
      return { samples: fromPcm(bytes), sampleRateHz };
    case "wav":
      return decodeWav(bytes);
    case "mulaw":
      return { samples: Float32Array.from(bytes, expandMulaw), sampleRateHz };
    case "alaw":
      return { samples: Float32Array.from(bytes, expandAlaw), sampleRateHz };
    case "mp3": {
      const decoder = new MPEGDecoder();
      await decoder.ready;
      const decoded = decoder.decode(bytes);
      decoder.free();
      if (decoded.errors.length > 0) throw new Error(decoded.errors[0]!.message);
      return { samples: decoded.channelData[0]!, sampleRateHz: decoded.sampleRate };
    }
    case "opus": {
      const decoder = new OggOpusDecoder();
      await decoder.ready;
      const decoded = await decoder.decodeFile(bytes);
      decoder.free();
      if (decoded.errors.length > 0) throw new Error(decoded.errors[0]!.message);
      return { samples: decoded.channelData[0] ?? new Float32Array(0), sampleRateHz: decoded.sampleRate };
    }
    case "flac": {
      const decoder = new FLACDecoder();
      await decoder.ready;
      const decoded = await decoder.decodeFile(bytes);
      decoder.free();
      if (decoded.errors.length > 0) throw new Error(decoded.errors[0]!.message);
      const samples = decoded.channelData[0]?.map((sample) => (sample * 32_767) / 32_768); // it divides by 32,767
      return { samples: samples ?? new Float32Array(0), sampleRateHz: decoded.sampleRate };
    }
    case "aac":
      return decodeAdts(audio.map(({ data }) => data));
  }
}

export function fromPcm(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 2 }, (_, index) => view.getInt16(index * 2, true) / 32_768);
}

function decodeWav(bytes: Uint8Array): Decoded {
  const header = Buffer.from(bytes.subarray(0, 44));
  if (header.toString("latin1", 0, 4) !== "RIFF" || header.toString("latin1", 8, 16) !== "WAVEfmt ") {
    throw new Error("not a WAV file");
  }
  if (header.toString("latin1", 36, 40) !== "data") throw new Error("no data chunk after 44 bytes");
  const shape = { codec: header.readUInt16LE(20), channels: header.readUInt16LE(22), bits: header.readUInt16LE(34) };
  if (shape.codec !== 1 || shape.channels !== 1 || shape.bits !== 16) throw new Error("not s16 mono");
  return { samples: fromPcm(bytes.subarray(44)), sampleRateHz: header.readUInt32LE(24) };
}

/** ITU-T G.711. */
function expandMulaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
  return (code & 0x80 ? -magnitude : magnitude) / 32_768;
}

/** ITU-T G.711. */
function expandAlaw(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code & 0x70) >> 4;
  const mantissa = (code & 0x0f) << 4;
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
  return (code & 0x80 ? magnitude : -magnitude) / 32_768;
}

function decodeAdts(packets: readonly Uint8Array[]): Decoded {
  const codec = Codec.findDecoderByName("aac" as FFDecoderCodec)!;
  using context = new CodecContext();
  using packet = new Packet();
  using frame = new Frame();
  context.allocContext3(codec);
  packet.alloc();
  frame.alloc();
  FFmpegError.throwIfError(context.open2Sync(codec, null));
  const pieces: Float32Array[] = [];
  let sampleRateHz = 0;
  for (const data of packets) {
    packet.data = Buffer.from(data);
    FFmpegError.throwIfError(context.sendPacketSync(packet));
    while (context.receiveFrameSync(frame) >= 0) {
      if (frame.format !== AV_SAMPLE_FMT_FLTP) throw new Error("an unexpected sample format");
      const plane = frame.data![0]!.subarray(0, frame.nbSamples * 4);
      pieces.push(new Float32Array(plane.buffer.slice(plane.byteOffset, plane.byteOffset + plane.length)));
      sampleRateHz = frame.sampleRate;
    }
  }
  return { samples: Float32Array.from(pieces.flatMap((piece) => [...piece])), sampleRateHz };
}
