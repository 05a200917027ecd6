/**
 * "fLaC" and its one metadata block (RFC 9639, section 8).
 * @param streamInfo as the encoder gives it before its first frame: no total, no checksum.
 */
export function flacHeader(streamInfo: Uint8Array): Uint8Array {
  const lastBlock = 0x80;
  return Buffer.concat([Buffer.from("fLaC"), Buffer.from([lastBlock, 0, 0, streamInfo.length]), streamInfo]);
}
