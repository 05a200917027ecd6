/** Text, by a rule of wrangler.toml. */
declare module "*/client/dist/client.js" {
  const text: string;
  export default text;
}

declare namespace Cloudflare {
  interface Env {
    SESSIONS: DurableObjectNamespace<import("./index.ts").Session>;
    CIRCUIT_BREAKERS: DurableObjectNamespace<import("./breaker/circuit-breaker.ts").CircuitBreaker>;
    TRANSCODER_CONTAINERS?: DurableObjectNamespace;
    ESPEAK_CONTAINERS?: DurableObjectNamespace;
    COQUI_CONTAINERS?: DurableObjectNamespace;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}

type Env = Cloudflare.Env;
