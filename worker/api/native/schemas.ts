/** What clients may send, in one place: validation, types and (later) the API document come from here. */
import { z } from "zod";
import { describeRates, FORMATS, isRateAllowed } from "../../../protocol/formats.ts";
import { GatewayError } from "../../base/errors.ts";
import { canonicalTag } from "../../base/language.ts";

/** Longest provider id, voice id or language tag, in characters. */
const ID_CHARS = 200;

/** Voices that may take over from the one that is asked for. */
const MAX_FALLBACKS = 4;

const id = z.string().trim().min(1).max(ID_CHARS);

const language = id.transform((tag, context) => {
  const canonical = canonicalTag(tag);
  if (canonical !== undefined) return canonical;
  context.addIssue({ code: "custom", message: `${JSON.stringify(tag)} is no BCP 47 tag, such as en-US` });
  return z.NEVER;
});

/** Trimmed and NFC. Half a surrogate pair is no character, and no engine could be sent it as UTF-8: it is replaced. */
function speakableText(maxChars: number) {
  return z
    .string()
    .transform((text) => text.normalize("NFC").toWellFormed().trim())
    .superRefine((text, context) => {
      if (text.length === 0) context.addIssue({ code: "custom", message: "must not be blank" });
      if (text.length > maxChars) {
        const message = `has ${text.length} characters; at most ${maxChars} are allowed`;
        context.addIssue({ code: "custom", message });
      }
    });
}

/** The body of POST /v1/tts/sessions, as far as it can be judged without asking a provider. Null means not given. */
export function createSessionSchema(maxTextChars: number) {
  return z
    .object({
      provider: id,
      voice: id,
      text: speakableText(maxTextChars),
      target_format: z.preprocess((format) => format ?? undefined, z.enum(FORMATS).default("pcm16")),
      sample_rate_hz: z.number().nullish(),
      language: language.nullish(),
      fallback: z
        .array(z.object({ provider: id, voice: id }))
        .max(MAX_FALLBACKS)
        .nullish(),
    })
    .superRefine(({ target_format: format, sample_rate_hz: rate }, context) => {
      if (rate == null || isRateAllowed(format, rate)) return;
      const message = `${rate} is not possible for ${format}; it takes ${describeRates(format)}`;
      context.addIssue({ code: "custom", path: ["sample_rate_hz"], message });
    });
}

export type CreateSessionBody = z.output<ReturnType<typeof createSessionSchema>>;

const given = (value: unknown) => value || undefined;

export const voicesQuerySchema = z.object({
  provider: z.preprocess(given, id.optional()),
  language: z.preprocess(given, language.optional()),
});

/** What the types of JSON are called in an error. */
const KINDS: Record<string, string> = { array: "a list", object: "a JSON object" };

/** What is wrong with a field, in words that follow its name; undefined: the schema has words of its own. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") {
    return issue.input == null ? "is required" : `must be ${KINDS[issue.expected] ?? `a ${issue.expected}`}`;
  }
  if (issue.code === "invalid_value") return `must be one of ${issue.values.join(", ")}`;
  if (issue.code === "too_small") return "must not be empty";
  if (issue.code !== "too_big") return undefined;
  return `may have at most ${issue.maximum} ${issue.origin === "string" ? "characters" : "entries"}`;
}

/** @throws GatewayError `invalid_request` that names the first wrong field. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { error: describeIssue });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  if (path.length === 0) throw new GatewayError("invalid_request", `the body ${message}`);
  const field = path.join(".");
  throw new GatewayError("invalid_request", `${field}: ${message}`, { field });
}
