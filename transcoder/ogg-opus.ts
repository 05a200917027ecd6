/** Ogg Opus (RFC 7845 in the pages of RFC 3533), written page by page. */

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

/** Packets in a page: five of 20 ms. */
const PACKETS_PER_PAGE = 5;

export interface OpusPacket {
  /** At the encoder's rate. */
  samples: number;
  data: Uint8Array;
}

export interface OggPage {
  /** What a decoder makes of it, at the encoder's rate, before it drops the pre-skip. */
  samples: number;
  data: Uint8Array;
}

export interface OggOpusOptions {
  /** Rate the encoder runs at, in Hz. */
  sampleRateHz: number;
  /** Rate that was asked for: the header's "input sample rate", a hint for who decodes. */
  inputRateHz: number;
  /** The encoder's delay in samples at its own rate. */
  delaySamples: number;
}

/**
 * Groups packets into pages of 100 ms. The first has a single packet, so that sound can start; the last says exactly
 * where the audio ends.
 */
export class OggOpusWriter {
  /** The pages OpusHead and OpusTags. */
  readonly header: Uint8Array;
  readonly #granulesPerSample: number;
  readonly #delaySamples: number;
  #packets: OpusPacket[] = [];
  #pageLimit = 1;
  #sequence = 0;
  /** Samples in the pages written so far. */
  #written = 0;

  constructor({ sampleRateHz, inputRateHz, delaySamples }: OggOpusOptions) {
    this.#granulesPerSample = GRANULE_HZ / sampleRateHz;
    this.#delaySamples = delaySamples;
    const head = opusHead(delaySamples * this.#granulesPerSample, inputRateHz);
    this.header = concat([this.#page(FIRST_PAGE, 0, [head]), this.#page(CONTINUES_NOTHING, 0, [opusTags()])]);
  }

  /** The page that `packet` completes, if it does. */
  push(packet: OpusPacket): OggPage | undefined {
    this.#packets.push(packet);
    if (this.#packets.length < this.#pageLimit) return undefined;
    this.#pageLimit = PACKETS_PER_PAGE;
    return this.#flush(CONTINUES_NOTHING, this.#written + sum(this.#packets));
  }

  /**
   * The last page: what is left, with the encoder's last packets, however few.
   * @param inputSamples all that went into the encoder, at its rate.
   */
  end(tail: readonly OpusPacket[], inputSamples: number): OggPage {
    this.#packets.push(...tail);
    // Less than the packets hold: the decoder drops the padding (RFC 7845, section 4.4).
    return this.#flush(LAST_PAGE, inputSamples === 0 ? 0 : this.#delaySamples + inputSamples);
  }

  #flush(type: number, position: number): OggPage {
    const data = this.#page(
      type,
      position * this.#granulesPerSample,
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

function sum(packets: readonly OpusPacket[]): number {
  return packets.reduce((total, { samples }) => total + samples, 0);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
