import { describe, expect, it } from "vitest";
import { isProviderFailure } from "../../../worker/synthesis/outcome.ts";
import { GatewayError } from "../../../worker/base/errors.ts";
import { ProviderError, RequestFault } from "../../../worker/providers/provider.ts";

const retry = (reason: string, message = "") => new ProviderError("retry", reason, message);
const never = (reason: string) => new ProviderError("never", reason, "");

describe("a provider's failure", () => {
  it.each([
    retry("unreachable", "espeak: TypeError: fetch failed"),
    retry("broken_stream"),
    retry("timeout"),
    retry("http_500"),
    retry("http_503"),
    retry("engine_crashed"),
    never("wrong_rate"),
    never("internal"),
  ])("is $reason", (error) => {
    expect(isProviderFailure(error)).toBe(true);
  });

  it("is not the request's own fault", () => {
    expect(isProviderFailure(new RequestFault("unknown_voice", ""))).toBe(false);
  });

  it.each(["busy", "not_ready"])("is not that it is %s", (reason) => {
    expect(isProviderFailure(new ProviderError("when_free", reason, "", 1_000))).toBe(false);
  });

  it("is not the platform's trouble, a cancel or a bug", () => {
    const updated = "espeak: Error: Durable Object reset because its code was updated.";
    const overloaded = "espeak: Error: Durable Object is overloaded. Too many requests queued.";
    for (const message of [updated, overloaded]) {
      expect(isProviderFailure(retry("unreachable", message))).toBe(false);
    }
    const aborted = new DOMException("The operation was aborted", "AbortError");
    for (const error of [aborted, new GatewayError("cancelled", ""), new TypeError("x"), undefined]) {
      expect(isProviderFailure(error)).toBe(false);
    }
  });
});
