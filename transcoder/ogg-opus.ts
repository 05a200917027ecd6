/** Ogg Opus (RFC 7845 in the pages of RFC 3533), written page by page. */
import { concat } from "../protocol/bytes.ts";
import { messageEnd, messagesBefore } from "../protocol/message-size.ts";
import type { AudioCodec, Encoded } from "./codec.ts";
import type { Container } from "./container-format.ts";

/** Granule positions count samples at this rate whatever the encoder's is (RFC 7845, section 4). */
const GRANULE_HZ = 48_000;

/** The only stream of its file, so any serial will do; a random one would make every encode differ. */
const SERIAL = 1;

const VENDOR = "tts-gateway";

const CONTINUES_NOTHING = 0x00;
const FIRST_PAGE = 0x02;
const LAST_PAGE = 0x04;
const PAGE_HEADER_BYTES = 27;
const CRC_AT = 22;

/** Pages of the header: OpusHead and OpusTags. */
const HEADER_PAGES = 2;

export interface OggOpusOptions {
  /** Rate that was asked for: the header's "input sample rate", a hint for who decodes. */
  askedRateHz: number;
  /** Rate that the encoder runs at, in Hz. */
  sampleRateHz: number;
  /** Where the first packet begins in the stream, at the encoder's rate: 0, or the end of a page. */
  startSample: number;
}

/**
 * Groups packets into pages, each of which is one message of the gateway. The last page says exactly where the audio ends.
 */
export class OggOpusWriter implements Container {
  /** The pages OpusHead and OpusTags. */
  readonly header: Uint8Array;
  readonly #sampleRateHz: number;
  readonly #frameSamples: number;
  readonly #delaySamples: number;
  #packets: Encoded[] = [];
  /** Where the last page written ends, in samples from the start of the stream. */
  #written: number;
  /** Where the last packet pushed ends. */
  #pushed: number;
  #sequence = 0;

  constructor({ frameSamples, delaySamples }: AudioCodec, { askedRateHz, sampleRateHz, startSample }: OggOpusOptions) {
    this.#sampleRateHz = sampleRateHz;
    this.#frameSamples = frameSamples;
    this.#delaySamples = delaySamples;
    this.#written = startSample;
    this.#pushed = startSample;
    const head = opusHead((delaySamples * GRANULE_HZ) / sampleRateHz, askedRateHz);
    this.header = concat([this.#page(FIRST_PAGE, 0, [head]), this.#page(CONTINUES_NOTHING, 0, [opusTags()])]);
    this.#sequence = HEADER_PAGES + messagesBefore(startSample, frameSamples, sampleRateHz);
  }

  push(packet: Encoded): Encoded | undefined {
    this.#packets.push(packet);
    this.#pushed += packet.samples;
    if (this.#pushed < messageEnd(this.#written, this.#frameSamples, this.#sampleRateHz)) return undefined;
    return this.#flush(CONTINUES_NOTHING, this.#pushed);
  }

  /** The last page holds what is left and the encoder's last packets, however few. */
  end(tail: readonly Encoded[], inputSamples: number): [Encoded] {
    this.#packets.push(...tail);
    // Less than the packets hold: the decoder drops the padding (RFC 7845, section 4.4).
    return [this.#flush(LAST_PAGE, inputSamples === 0 ? 0 : this.#delaySamples + inputSamples)];
  }

  #flush(type: number, position: number): Encoded {
    const data = this.#page(
      type,
      (position * GRANULE_HZ) / this.#sampleRateHz,
      this.#packets.map((packet) => packet.data),
    );
    const samples = position - this.#written;
    this.#written = position;
    this.#packets = [];
    return { samples, data };
  }

  #page(type: number, granule: number, packets: readonly Uint8Array[]): Uint8Array {
    const lacing = packets.flatMap(({ length }) => [
      ...Array<number>(Math.floor(length / 255)).fill(255),
      length % 255,
    ]);
    const page = concat([new Uint8Array(PAGE_HEADER_BYTES), new Uint8Array(lacing), ...packets]);
    const view = new DataView(page.buffer);
    page.set(ascii("OggS"));
    page[5] = type;
    view.setBigUint64(6, BigInt(granule), true);
    view.setUint32(14, SERIAL, true);
    view.setUint32(18, this.#sequence++, true);
    page[26] = lacing.length;
    view.setUint32(CRC_AT, oggCrc(page), true);
    return page;
  }
}

/** RFC 7845, section 5.1. */
function opusHead(preSkip: number, inputRateHz: number): Uint8Array {
  const head = new Uint8Array(19);
  const view = new DataView(head.buffer);
  head.set(ascii("OpusHead"));
  head[8] = 1; // version
  head[9] = 1; // channels
  view.setUint16(10, preSkip, true);
  view.setUint32(12, inputRateHz, true);
  return head; // no gain, channel mapping family 0
}

/** RFC 7845, section 5.2: a vendor and no comments. */
function opusTags(): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, VENDOR.length, true);
  return concat([ascii("OpusTags"), length, ascii(VENDOR), new Uint8Array(4)]);
}

/** CRC-32 of polynomial 0x04c11db7, not reflected, from 0 (RFC 3533, section 6). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

function oggCrc(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]!;
  return crc >>> 0;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
