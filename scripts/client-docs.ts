/**
 * npm run docs:client: docs/client.md, made from the doc comments of what client/index.ts exports. The compiler itself reads
 * them: typedoc needs the API of a TypeScript before 7.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Node } from "typescript/unstable/ast";
import { API, SymbolFlags, type Checker, type Project, type Symbol } from "typescript/unstable/sync";

const ROOT = join(import.meta.dirname, "..");

const INTRODUCTION = `# The client library

One file without dependencies, for browsers and Node (22 or newer). It acknowledges what was consumed, and when a
connection is lost it goes on with another where the audio broke off ([how](reliability.md#the-client-resumes)). This page is
made from its doc comments, by \`npm run docs:client\`.

In a page on any origin, from the gateway itself:

<!-- script: 1  -->

\`\`\`html
<script type="module">
  import { TtsClient } from "http://localhost:8787/client.js";

  const client = new TtsClient("http://localhost:8787");
  const speech = client.speak({ provider: "espeak", voice: "en-us", text: "Hello!", target_format: "mp3" });
  for await (const { seq, audio } of speech) console.log(seq, audio.length);
</script>
\`\`\`

In Node, or with a bundler, as a package with types:

<!-- not run: test/e2e/client-package.test.ts does, in an empty project -->

\`\`\`sh
npm pack ./client # here; and there:
npm install /path/to/tts-gateway-client-0.1.0.tgz
\`\`\`

The import is then \`import { TtsClient } from "tts-gateway-client"\`. Every type below is exported too.
`;

/** A part that a class, an interface or an alias has, as far as it has it. */
type Declaration = Node & { type?: Node; body?: Node };

export interface ApiPage {
  markdown: string;
  /** The exported names, and the members of them, that have no doc comment. */
  undocumented: string[];
}

/** Reads the exports of one module, and writes down what their doc comments say. */
class ApiReader {
  readonly undocumented: string[] = [];
  readonly #project: Project;
  readonly #checker: Checker;

  constructor(project: Project) {
    this.#project = project;
    this.#checker = project.checker;
  }

  exportsOf(entry: string): string[] {
    const file = this.#project.program.getSourceFile(entry);
    const module = file && this.#checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`${entry} is no module of its project`);
    return this.#checker.getExportsOfModule(module).map((exported) => this.#describe(exported));
  }

  #describe(exported: Symbol): string {
    const isAlias = (exported.flags & SymbolFlags.Alias) !== 0;
    const symbol = isAlias ? this.#checker.getAliasedSymbol(exported) : exported;
    const { name, flags } = symbol;
    const parts = [`## ${name}`, this.#comment(symbol, name)];
    if (flags & SymbolFlags.TypeAlias) parts.push(code(this.#aliased(symbol)));
    const isMethod = (member: Symbol) => (member.flags & (SymbolFlags.Method | SymbolFlags.Constructor)) !== 0;
    const members = this.#members(symbol);
    const fields = members.filter((member) => !isMethod(member));
    if (fields.length > 0) parts.push(this.#table(name, fields));
    for (const method of members.filter(isMethod)) {
      const isConstructor = (method.flags & SymbolFlags.Constructor) !== 0;
      parts.push(`### ${isConstructor ? `new ${name}` : method.name}`, code(this.#signature(method)));
      parts.push(this.#comment(method, `${name}.${method.name}`));
    }
    return parts.join("\n\n");
  }

  /** An interface's with those that it inherits; a class's own, for what it inherits is the language's. */
  #members(symbol: Symbol): readonly Symbol[] {
    if (symbol.flags & SymbolFlags.Interface) {
      return this.#checker.getPropertiesOfType(this.#checker.getDeclaredTypeOfSymbol(symbol));
    }
    return [...symbol.getMembers().values()].filter((member) => !member.name.includes("#")); // private
  }

  /** What a doc comment says, with its tags as sentences. */
  #comment(symbol: Symbol, name: string): string {
    const tags = this.#checker.getJsDocTagsOfSymbol(symbol);
    const text = this.#checker.getDocumentationCommentOfSymbol(symbol);
    if (text === "" && tags.length === 0) this.undocumented.push(name);
    const lines = tags.map(({ name: tag, text: said = "" }) => {
      if (tag === "example") return code(said);
      if (tag === "param") return `- ${said.replace(/^(\w+) /, "`$1`: ")}`;
      return `- ${tag === "returns" ? "Returns" : "Throws"} ${said.replace(/^(TtsError|TypeError)/, "`$1`").replace(/\.?$/, ".")}`;
    });
    return [text, lines.join("\n")].filter(Boolean).join("\n\n");
  }

  #declarationOf(symbol: Symbol): Declaration {
    return symbol.declarations[0]!.resolve(this.#project) as Declaration;
  }

  /** What a type alias stands for; where that is computed, what comes out. */
  #aliased(symbol: Symbol): string {
    const declared = oneLine(this.#declarationOf(symbol).type!.getText());
    if (!declared.includes("typeof")) return `type ${symbol.name} = ${declared}`;
    return `type ${symbol.name} = ${this.#checker.typeToString(this.#checker.getDeclaredTypeOfSymbol(symbol))}`;
  }

  /** A method as its caller sees it, without its body. */
  #signature(method: Symbol): string {
    const node = this.#declarationOf(method);
    const head = node.body ? node.getText().slice(0, -node.body.getText().length) : node.getText();
    return oneLine(head)
      .replace(/^async /, "")
      .replace(/^\*/, "");
  }

  #table(owner: string, fields: Symbol[]): string {
    const rows = fields.map((field) => {
      const name = (field.flags & SymbolFlags.Optional) === 0 ? field.name : `${field.name}?`;
      const declared = this.#declarationOf(field).type?.getText();
      const type = declared ?? this.#checker.typeToString(this.#checker.getTypeOfSymbol(field)!);
      const told = oneLine(this.#comment(field, `${owner}.${field.name}`));
      return `| \`${name}\` | \`${oneLine(type).replaceAll("|", "\\|")}\` | ${told} |`;
    });
    return ["| | | |", "|---|---|---|", ...rows].join("\n");
  }
}

/** What the formatter broke into lines, whole again. */
const oneLine = (text: string) =>
  text.replaceAll(/\s+/g, " ").replaceAll("( ", "(").replaceAll(", )", ")").replace(/^\| /, "").trim();

const code = (text: string) => text.replaceAll(/^/gm, "    ");

/** @param folder has the tsconfig.json, and the entry `index.ts`. */
export function apiPage(folder: string): ApiPage {
  const api = new API({ cwd: ROOT });
  try {
    const [project] = api.updateSnapshot({ openProject: join(folder, "tsconfig.json") }).getProjects();
    const reader = new ApiReader(project!);
    const parts = reader.exportsOf(join(folder, "index.ts"));
    return { markdown: `${[INTRODUCTION.trimEnd(), ...parts].join("\n\n")}\n`, undocumented: reader.undocumented };
  } finally {
    api.close();
  }
}

async function main(): Promise<void> {
  const { markdown, undocumented } = apiPage(join(ROOT, "client"));
  if (undocumented.length > 0) throw new Error(`no doc comment: ${undocumented.join(", ")}`);
  await writeFile(join(ROOT, "docs/client.md"), markdown);
}

if (import.meta.main) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
