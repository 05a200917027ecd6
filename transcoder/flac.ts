/** FLAC as a stream (RFC 9639). */
import type { Encoded } from "./codec.ts";
import type { Container } from "./container-format.ts";

/** A frame's header up to its number: sync code, block size and sample rate, channels and sample size. */
const BYTES_BEFORE_NUMBER = 4;

/** Writes the header, and gives frames the numbers that they have in the whole stream. */
export class FlacWriter implements Container {
  /** "fLaC" and its one metadata block (section 8). */
  readonly header: Uint8Array;
  readonly #startFrame: number;
  #written = 0;

  /**
   * @param streamInfo as the encoder gives it before its first frame: no total, no checksum.
   * @param startFrame the number of the first frame pushed.
   */
  constructor(streamInfo: Uint8Array, startFrame: number) {
    const lastBlock = 0x80;
    this.header = Buffer.concat([Buffer.from("fLaC"), Buffer.from([lastBlock, 0, 0, streamInfo.length]), streamInfo]);
    this.#startFrame = startFrame;
  }

  push({ samples, data }: Encoded): Encoded {
    const number = this.#startFrame + this.#written++;
    // An encoder that began with the stream has numbered its frames rightly.
    return { samples, data: this.#startFrame === 0 ? data : renumbered(data, number) };
  }

  end(tail: readonly Encoded[]): Encoded[] {
    return tail.map((packet) => this.push(packet));
  }
}

/** A frame with another number (section 9.1), and with the checksums that follow from it. */
function renumbered(frame: Uint8Array, number: number): Uint8Array {
  const numberEnd = BYTES_BEFORE_NUMBER + codedLength(frame[BYTES_BEFORE_NUMBER]!);
  const headerEnd = numberEnd + uncommonBytes(frame[2]!);
  const header = [
    ...frame.subarray(0, BYTES_BEFORE_NUMBER),
    ...codedNumber(number),
    ...frame.subarray(numberEnd, headerEnd),
  ];
  const body = frame.subarray(headerEnd + 1, -2);
  const renewed = new Uint8Array(header.length + 1 + body.length + 2);
  renewed.set(header);
  renewed[header.length] = crc(CRC_8, 8, renewed.subarray(0, header.length));
  renewed.set(body, header.length + 1);
  new DataView(renewed.buffer).setUint16(renewed.length - 2, crc(CRC_16, 16, renewed.subarray(0, -2)));
  return renewed;
}

/** Bytes of a coded number, from its first: as many as its leading ones, or one when there is none. */
function codedLength(first: number): number {
  return Math.max(1, Math.clz32(~(first << 24)));
}

/** The number of a frame in the form of UTF-8, extended to 31 bits (section 9.1.5). */
function codedNumber(number: number): number[] {
  if (number < 0x80) return [number];
  const continuation: number[] = [];
  let rest = number;
  // A first byte with n continuation bytes has room for 6 - n bits.
  while (rest >= 1 << (6 - continuation.length)) {
    continuation.unshift(0x80 | (rest & 0x3f));
    rest = Math.floor(rest / 64);
  }
  return [((0xff00 >> (continuation.length + 1)) & 0xff) | rest, ...continuation];
}

/** Bytes between a frame's number and its header's CRC: a block size and a rate that have no code (9.1.6, 9.1.7). */
function uncommonBytes(sizeAndRate: number): number {
  const blockSize = sizeAndRate >> 4;
  const sampleRate = sizeAndRate & 0x0f;
  const sizeBytes = blockSize === 6 ? 1 : blockSize === 7 ? 2 : 0;
  const rateBytes = sampleRate === 12 ? 1 : sampleRate === 13 || sampleRate === 14 ? 2 : 0;
  return sizeBytes + rateBytes;
}

/** Of polynomial x⁸ + x² + x + 1 (section 9.1.8). */
const CRC_8 = crcTable(0x07, 8);
/** Of polynomial x¹⁶ + x¹⁵ + x² + 1 (section 9.3). */
const CRC_16 = crcTable(0x8005, 16);

function crcTable(polynomial: number, bits: number): Uint16Array {
  const top = 1 << (bits - 1);
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let value = byte << (bits - 8);
    for (let bit = 0; bit < 8; bit++) value = value & top ? (value << 1) ^ polynomial : value << 1;
    return value & ((top << 1) - 1);
  });
}

/** Not reflected, from 0. */
function crc(table: Uint16Array, bits: number, bytes: Uint8Array): number {
  const mask = (1 << bits) - 1;
  let value = 0;
  for (const byte of bytes) value = ((value << 8) & mask) ^ table[(value >> (bits - 8)) ^ byte]!;
  return value;
}
