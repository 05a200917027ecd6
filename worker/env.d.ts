interface Env {
  CIRCUIT_BREAKERS: DurableObjectNamespace<import("./breaker/circuit-breaker.ts").CircuitBreaker>;
  SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
}

declare namespace Cloudflare {
  interface Env {
    CIRCUIT_BREAKERS: DurableObjectNamespace<import("./breaker/circuit-breaker.ts").CircuitBreaker>;
    SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
