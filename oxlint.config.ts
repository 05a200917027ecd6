/** What the linter holds true: its rules, which folder may import from which, and how long a file may be. */
import { defineConfig, type OxlintOverride } from "oxlint";

/** The folders of worker/ from the top storey down. Each imports from the storeys below its own, never from beside it. */
const STOREYS = [
  ["api", "access", "metrics"],
  ["session"],
  ["synthesis", "delivery"],
  ["message-log"],
  ["providers", "storage"],
  ["breaker", "upstreams", "text"],
  ["config"],
  ["base"],
];

/** Pure logic, tested as plain code: the Worker's settings and Cloudflare's API are passed in by the storeys above. */
const PURE = new Set(["synthesis", "delivery", "message-log", "text"]);

const NO_CLOUDFLARE = { name: "cloudflare:workers", message: "This is pure logic: pass in what it needs." };

/** What a folder inside another may import of the one around it. */
const AROUND: Record<string, string[]> = {
  "worker/upstreams/**/*.ts": ["!../*.ts", "../index.ts", "../env.d.ts"], // containers/
  "client/cli/*.ts": ["!../index.ts"],
};

/** The files import from their own folder, from these other folders and from packages. */
function mayImport(files: string, others: readonly string[], isPure = false): OxlintOverride {
  const allowed = others.map((other) => `!**/${other}/**/*.ts`);
  const group = ["../**/*.ts", ...allowed, ...(AROUND[files] ?? []), ...(isPure ? ["**/config/config.ts"] : [])];
  const message = `Beside their own folder, ${files} may import ${others.join(", ") || "nothing"} (CONTRIBUTING.md, Boundaries).`;
  const paths = isPure ? [NO_CLOUDFLARE] : [];
  return { files: [files], rules: { "no-restricted-imports": ["error", { paths, patterns: [{ group, message }] }] } };
}

const storeys = STOREYS.flatMap((folders, index) => {
  const below = [...STOREYS.slice(index + 1).flat(), "protocol"];
  return folders.map((folder) => mayImport(`worker/${folder}/**/*.ts`, below, PURE.has(folder)));
});

export default defineConfig({
  plugins: ["typescript", "unicorn", "import", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  rules: {
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "max-lines": ["error", { max: 250, skipBlankLines: false, skipComments: false }],
    "no-await-in-loop": "off",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/switch-exhaustiveness-check": "error",
    "typescript/no-unsafe-type-assertion": "off",
    "typescript/consistent-return": "off",
    "consistent-return": "off",
    "eslint/no-unmodified-loop-condition": "off",
    "vitest/no-conditional-expect": "off",
    "unicorn/consistent-function-scoping": "off",
    "vitest/expect-expect": ["error", { assertFunctionNames: ["expect", "expect*"] }],
  },
  overrides: [
    mayImport("worker/*.ts", ["protocol"]),
    ...storeys,
    mayImport("worker/config/settings.ts", ["base", "protocol"], true), // npm start reads it too
    mayImport("protocol/**/*.ts", []),
    mayImport("service/**/*.ts", ["protocol"]),
    mayImport("client/*.ts", ["protocol"]),
    mayImport("client/stream/*.ts", ["protocol"]),
    mayImport("client/cli/*.ts", ["protocol"]),
    mayImport("transcoder/**/*.ts", ["service", "protocol"]),
    mayImport("engines/**/*.ts", ["service", "protocol"]),
  ],
  ignorePatterns: ["node_modules", ".wrangler", "engines/coqui", "client/dist"],
});
