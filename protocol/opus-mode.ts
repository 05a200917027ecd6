/** What another encoder has to know of an Ogg Opus stream with which it goes on. */

const SEGMENT_COUNT_AT = 26;
const SEGMENTS_AT = 27;
/** A segment of this length is followed by more of its packet (RFC 3533, section 5). */
const FULL_SEGMENT = 255;

/**
 * The first byte of the last packet in an Ogg page, which says how the packet is coded (RFC 6716, section 3.1).
 * @param page one whole page that holds whole packets, as the transcoder makes them.
 */
export function lastToc(page: Uint8Array): number {
  const segments = page.subarray(SEGMENTS_AT, SEGMENTS_AT + page[SEGMENT_COUNT_AT]!);
  let at = SEGMENTS_AT + segments.length;
  let packetAt = at;
  let isStart = true;
  for (const length of segments) {
    if (isStart) packetAt = at;
    at += length;
    isStart = length < FULL_SEGMENT;
  }
  return page[packetAt]!;
}

/** Whether a packet is coded by CELT alone: its decoder keeps no SILK state (RFC 6716, table 2). */
export function isCeltAlone(toc: number): boolean {
  return toc >> 3 >= 16;
}
