/**
 * npm run docs:client: docs/client.md, made from the doc comments of what client/index.ts exports. With --check it changes
 * nothing, and fails if the page is out of date or a name has no doc comment. The compiler reads the comments (TypeScript 7;
 * typedoc needs the API of an older one).
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { API, SymbolFlags, type Checker, type Project, type Symbol } from "typescript/unstable/sync";

const ROOT = join(import.meta.dirname, "..");

const INTRODUCTION = `# The client library

One file without dependencies, for browsers and Node (22 or newer). It acknowledges what was consumed, and when a
connection is lost it goes on with another where the audio broke off ([how](reliability.md#the-client-resumes)). This page is
made from its doc comments, by \`npm run docs:client\`.

In a page on any origin, from the gateway itself:

    <script type="module">
      import { TtsClient } from "http://localhost:8787/client.js";

      const speech = new TtsClient("http://localhost:8787").speak({ provider: "espeak", voice: "en-us", text: "Hello!" });
      for await (const { seq, audio } of speech) console.log(seq, audio.length);
    </script>

In Node, with a bundler or for TypeScript, as a package: \`npm pack ./client\` here makes
\`tts-gateway-client-0.1.0.tgz\`, \`npm install\` with its path there installs it, and the import is
\`"tts-gateway-client"\`. Every type below is exported too.
`;

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

  #source(symbol: Symbol): string {
    return symbol.declarations[0]!.resolve(this.#project)!.getText();
  }

  /** The alternatives that a type alias stands for; of a list's members, each by its value. */
  #aliased(symbol: Symbol): string {
    const [, declared] = this.#source(symbol).split(/ =\s+/, 2);
    const text = declared!.includes("typeof")
      ? this.#checker.typeToString(this.#checker.getDeclaredTypeOfSymbol(symbol))
      : declared!;
    return `type ${symbol.name} = ${text
      .replace(/;$/, "")
      .replaceAll(/\s*\n\s*/g, " ")
      .replace(/^\| /, "")}`;
  }

  /** A method as a caller sees it, without its body. */
  #signature(method: Symbol): string {
    const [head] = this.#source(method).split(/ \{\n/, 1);
    return head!
      .replace(/^async /, "")
      .replace(/^\*/, "")
      .replaceAll(/\s*\n\s*/g, " ")
      .replaceAll("( ", "(")
      .replaceAll(", )", ")");
  }

  #table(owner: string, fields: Symbol[]): string {
    const rows = fields.map((field) => {
      const [, name, type] = /^(?:override |readonly )*(\w+\??)(?:: ([^;]+))?/s.exec(this.#source(field)) ?? [];
      const told = this.#comment(field, `${owner}.${field.name}`).replaceAll(/\s*\n\s*/g, " ");
      const kind = type ?? this.#checker.typeToString(this.#checker.getTypeOfSymbol(field)!);
      return `| \`${name}\` | \`${kind.replaceAll("|", "\\|")}\` | ${told} |`;
    });
    return ["| | | |", "|---|---|---|", ...rows].join("\n");
  }
}

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
  const file = join(ROOT, "docs/client.md");
  const { markdown, undocumented } = apiPage(join(ROOT, "client"));
  if (undocumented.length > 0) throw new Error(`no doc comment: ${undocumented.join(", ")}`);
  if (!process.argv.includes("--check")) return writeFile(file, markdown);
  if ((await readFile(file, "utf8")) !== markdown)
    throw new Error("docs/client.md is out of date: npm run docs:client");
}

if (import.meta.main) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
