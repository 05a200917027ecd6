/** A length that is not known while a stream is written; players then read to its end. */
const UNKNOWN_BYTES = 0xffffffff;

const BYTES_PER_SAMPLE = 2;

/** The 44 bytes before s16le mono in a WAV (RIFF) stream of unknown length. */
export function wavHeader(sampleRateHz: number): Uint8Array {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(UNKNOWN_BYTES, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16); // bytes of "fmt "
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * BYTES_PER_SAMPLE, 28);
  header.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  header.writeUInt16LE(8 * BYTES_PER_SAMPLE, 34);
  header.write("data", 36);
  header.writeUInt32LE(UNKNOWN_BYTES, 40);
  return header;
}

/**
 * "fLaC" and its one metadata block (RFC 9639, section 8).
 * @param streamInfo as the encoder gives it before its first frame: no total, no checksum.
 */
export function flacHeader(streamInfo: Uint8Array): Uint8Array {
  const lastBlock = 0x80;
  return Buffer.concat([Buffer.from("fLaC"), Buffer.from([lastBlock, 0, 0, streamInfo.length]), streamInfo]);
}
