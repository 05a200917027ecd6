import { describe, expect, it } from "vitest";
import {
  closeCodeOf,
  errorMessage,
  failureOf,
  GatewayError,
  problemResponse,
  statusOf,
} from "../../../worker/base/errors.ts";
import type { ErrorReason } from "../../../protocol/errors.ts";

const expected: Record<ErrorReason, [status: number, close: number]> = {
  invalid_request: [400, 1008],
  invalid_after: [400, 1008],
  invalid_ack: [400, 1008],
  bad_message: [400, 1008],
  nothing_to_speak: [400, 1008],
  not_found: [404, 1008],
  unknown_session: [404, 1008],
  taken_over: [409, 4001],
  payload_too_large: [413, 1009],
  unsupported_media_type: [415, 1008],
  upgrade_required: [426, 1008],
  cancelled: [499, 1000],
  internal: [500, 1011],
  provider_failed: [502, 1011],
  transcoder_failed: [502, 1011],
  circuit_open: [503, 1013],
  busy: [503, 1013],
  not_ready: [503, 1013],
  misconfigured: [503, 1011],
  transcoder_unavailable: [503, 1013],
  restarting: [503, 1012],
  provider_timeout: [504, 1011],
};

describe("a failure", () => {
  it.each(Object.entries(expected) as [ErrorReason, [number, number]][])(
    "%s has its status and close code",
    (reason, codes) => {
      expect([statusOf({ reason, message: "" }), closeCodeOf(reason)]).toEqual(codes);
    },
  );

  it("as a message has exactly the contract's fields", () => {
    expect(errorMessage({ reason: "invalid_request", message: "m", field: "text" })).toEqual({
      type: "error",
      code: 400,
      reason: "invalid_request",
      message: "m",
    });
    expect(errorMessage({ reason: "busy", message: "m", retryAfterMs: 0 })).toMatchObject({ retry_after_ms: 0 });
  });

  it("as a response is an RFC 9457 problem", async () => {
    const response = problemResponse({ reason: "not_ready", message: "wait", field: "voice", retryAfterMs: 1_001 });
    expect(response.status).toBe(503);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toEqual({
      type: "about:blank",
      title: "not ready",
      status: 503,
      detail: "wait",
      reason: "not_ready",
      field: "voice",
    });
  });

  it("that nobody expected tells the client nothing of itself", () => {
    const secret = "at /srv/app/secret.ts:1";
    for (const thrown of [new Error(secret), secret, undefined, { failure: { reason: "busy", message: secret } }]) {
      const failure = failureOf(thrown);
      expect(failure.reason).toBe("internal");
      expect(JSON.stringify(failure)).not.toContain("secret");
    }
    expect(failureOf(new GatewayError("busy", "later"))).toEqual({ reason: "busy", message: "later" });
  });
});
