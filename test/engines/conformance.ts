/** What every engine must do (docs/engines.md), asked over HTTP. */
import { afterAll, beforeAll, describe } from "vitest";
import { describeRefusals } from "./conformance/refusals.ts";
import { describeSelf } from "./conformance/self.ts";
import { describeSpeech } from "./conformance/speech.ts";
import { describeStream } from "./conformance/stream.ts";
import { Subject, type EngineUnderTest } from "./conformance/subject.ts";

export type { EngineUnderTest };

/** Defines the suite for one engine. */
export function describeEngine(name: string, engine: EngineUnderTest): void {
  describe(`${name} keeps the engine contract`, { timeout: 120_000 }, () => {
    const subject = new Subject(engine);
    beforeAll(() => subject.start(), 120_000);
    afterAll(() => subject.stop());
    describeSpeech(subject);
    describeStream(subject);
    describeRefusals(subject);
    describeSelf(subject);
  });
}
