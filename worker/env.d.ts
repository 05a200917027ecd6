interface Env {
  SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
}

declare namespace Cloudflare {
  interface Env {
    SESSIONS: DurableObjectNamespace<import("./session/session.ts").Session>;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
