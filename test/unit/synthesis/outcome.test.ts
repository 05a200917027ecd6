import { describe, expect, it } from "vitest";
import { Call } from "../../../worker/breaker/circuit-client.ts";
import { endFailedCall } from "../../../worker/synthesis/outcome.ts";
import { GatewayError } from "../../../worker/base/errors.ts";
import { Misconfiguration, ProviderError, RequestFault } from "../../../worker/providers/provider.ts";

const retry = (reason: string, message = "") => new ProviderError("retry", reason, message);
const never = (reason: string) => new ProviderError("never", reason, "");

/** What the circuit hears of a call that failed so. */
function heard(error: unknown): string[] {
  const told: string[] = [];
  endFailedCall(new Call(1_000, (outcome) => void told.push(outcome)), error);
  return told;
}

describe("the circuit of a call that failed", () => {
  it.each([
    retry("unreachable", "espeak: TypeError: fetch failed"),
    retry("broken_stream"),
    retry("timeout"),
    retry("http_500"),
    retry("http_503"),
    retry("engine_crashed"),
    never("wrong_rate"),
  ])("counts it for $reason", (error) => {
    expect(heard(error)).toEqual(["failed"]);
  });

  it("opens at once for a wrong setup", () => {
    expect(heard(new Misconfiguration("the engine answered 401"))).toEqual(["opens"]);
  });

  it("ignores what only this request runs into", () => {
    expect(heard(new RequestFault("unknown_voice", ""))).toEqual(["ignored"]);
  });

  it.each(["busy", "not_ready"])("ignores that the provider is %s", (reason) => {
    expect(heard(new ProviderError("when_free", reason, "", 1_000))).toEqual(["ignored"]);
  });

  it("ignores the platform's trouble, a cancel and a bug", () => {
    const updated = "espeak: Error: Durable Object reset because its code was updated.";
    const overloaded = "espeak: Error: Durable Object is overloaded. Too many requests queued.";
    for (const message of [updated, overloaded]) expect(heard(retry("unreachable", message))).toEqual(["ignored"]);
    const aborted = new DOMException("The operation was aborted", "AbortError");
    for (const error of [aborted, new GatewayError("cancelled", ""), new TypeError("x"), undefined]) {
      expect(heard(error)).toEqual(["ignored"]);
    }
  });
});
