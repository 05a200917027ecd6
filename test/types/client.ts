/** What an application's compiler knows of the client library. `npm run types` judges it: nothing of this runs. */
import { expectTypeOf } from "vitest";
import type { CreateSessionRequest, SessionStatus, TtsClient, TtsError } from "../../client/index.ts";
import type { CreateSessionBody } from "../../worker/api/native/schemas.ts";

const hello = { provider: "espeak", voice: "en-us", text: "Hello!" };

/** A request needs no `as const`, and what cannot be asked for is an error. */
export async function requests(client: TtsClient): Promise<void> {
  for await (const { audio } of client.speak({ ...hello, target_format: "mp3" })) {
    expectTypeOf(audio.buffer).toEqualTypeOf<ArrayBuffer>(); // browsers take no other for a Blob or a decoder
  }
  await client.createSession({ ...hello, fallback: [{ provider: "mock_tone", voice: "en-US-mock-1" }] });
  // @ts-expect-error -- there is no such format
  await client.createSession({ ...hello, target_format: "ogg" });
  // @ts-expect-error -- a text is required
  await client.createSession({ provider: "espeak", voice: "en-us" });
  // @ts-expect-error -- a stream that begins now has nothing to go on after
  client.speak(hello, { after: 7 });
}

/** A request has the fields that the gateway reads, and no others. */
export function sharedRequest(): void {
  expectTypeOf<keyof CreateSessionRequest>().toEqualTypeOf<keyof CreateSessionBody>();
  expectTypeOf<Required<CreateSessionRequest>>().toExtend<CreateSessionBody>();
}

/** The reasons of an error are known by name, and a newer gateway may have others. */
export function reasons(error: TtsError): boolean {
  expectTypeOf<"busy" | "connection_lost">().toExtend<TtsError["reason"]>();
  return error.reason === "a later one";
}

/** A status tells its last message apart by its type. */
export function lastMessage({ final }: SessionStatus): number | string | undefined {
  return final?.type === "eos" ? final.duration_ms : final?.reason;
}
