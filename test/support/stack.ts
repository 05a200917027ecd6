/** The whole product for a test file: its services as processes, and the built Worker. */
import { afterAll, beforeAll } from "vitest";
import { startGateway, type RunningGateway } from "./gateway.ts";
import { startEspeakProcess, startTranscoderProcess, type RunningService } from "./processes.ts";

export interface Stack {
  /** The gateway's address. */
  url: string;
  gateway: RunningGateway;
  transcoder: RunningService;
  espeak: RunningService;
}

/** @param vars settings beside the addresses of the services. */
export function useStack(vars: Record<string, string | number> = {}): Stack {
  const stack = {} as Stack;
  beforeAll(async () => {
    [stack.transcoder, stack.espeak] = await Promise.all([startTranscoderProcess(), startEspeakProcess()]);
    const upstreams = { TRANSCODER_URL: stack.transcoder.url, ESPEAK_URL: stack.espeak.url };
    stack.gateway = await startGateway({ ...upstreams, ...vars });
    stack.url = stack.gateway.url;
  });
  afterAll(async () => {
    await stack.gateway?.stop();
    await Promise.all([stack.transcoder?.stop(), stack.espeak?.stop()]);
  });
  return stack;
}

/** What the transcoder and the engine are doing now. */
export async function activity({ transcoder, espeak }: Stack): Promise<{ encoders: number; syntheses: number }> {
  const ask = async (url: string) => (await (await fetch(`${url}/v1/info`)).json()) as Record<string, number>;
  const [transcoding, speaking] = await Promise.all([ask(transcoder.url), ask(espeak.url)]);
  return {
    encoders: transcoding.open_encoders! + transcoding.active_streams!,
    syntheses: speaking.syntheses_active! + speaking.queued!,
  };
}
