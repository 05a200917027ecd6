interface Env {
  SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
  TRANSCODER_CONTAINERS?: DurableObjectNamespace;
  ESPEAK_CONTAINERS?: DurableObjectNamespace;
  COQUI_CONTAINERS?: DurableObjectNamespace;
}

declare namespace Cloudflare {
  interface Env {
    SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
    TRANSCODER_CONTAINERS?: DurableObjectNamespace;
    ESPEAK_CONTAINERS?: DurableObjectNamespace;
    COQUI_CONTAINERS?: DurableObjectNamespace;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
