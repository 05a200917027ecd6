/** A gateway between two engines: eSpeak, and as coqui_tts one that fails on demand. */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { startFakeEngine, type FakeEngine } from "../fakes/engine.ts";
import { startGateway, type RunningGateway } from "./gateway.ts";
import { startEspeakProcess, startTranscoderProcess, type RunningService } from "./processes.ts";

export interface TwoEngines {
  engine: FakeEngine;
  espeak: RunningService;
  /** A gateway for the tests of one `describe`, with settings beside the addresses of the services. */
  withGateway(vars: () => Record<string, string | number>): { url: string; gateway: RunningGateway };
}

export function useTwoEngines(): TwoEngines {
  let transcoder: RunningService;
  const parts = {
    withGateway(vars) {
      const running = {} as { url: string; gateway: RunningGateway };
      beforeAll(async () => {
        const { engine, espeak } = parts;
        const upstreams = { COQUI_URL: engine.url, ESPEAK_URL: espeak.url, TRANSCODER_URL: transcoder.url };
        running.gateway = await startGateway({ ...upstreams, ...vars() });
        running.url = running.gateway.url;
      });
      afterAll(() => running.gateway?.stop());
      return running;
    },
  } as TwoEngines;
  beforeAll(async () => {
    [parts.engine, transcoder, parts.espeak] = await Promise.all([
      startFakeEngine(),
      startTranscoderProcess(),
      startEspeakProcess(),
    ]);
  });
  beforeEach(() => {
    Object.assign(parts.engine, { faults: [], always: "none", texts: [], aborted: 0 });
  });
  afterAll(async () => {
    await Promise.all([transcoder?.stop(), parts.espeak?.stop(), parts.engine?.stop()]);
  });
  return parts;
}
