/** WebSocket close codes the gateway uses (RFC 6455, section 7.4; 4000-4999 are an application's own). */
export const CLOSE = {
  normal: 1000,
  /** The connection itself was lost; never sent. */
  abnormal: 1006,
  goingAway: 1001,
  /** A refused request, an unknown session, a bad message. */
  policy: 1008,
  tooLarge: 1009,
  failure: 1011,
  restart: 1012,
  /** The client stalled, or we are busy. */
  tryLater: 1013,
  /** A newer connection plays this session. */
  takenOver: 4001,
} as const;

/** Close codes after which `?after=` goes on where the stream broke off; after any other it does not. */
export const RESUMABLE_CLOSE_CODES: readonly number[] = [
  CLOSE.goingAway,
  CLOSE.abnormal,
  CLOSE.restart,
  CLOSE.tryLater,
];
