/**
 * The fenced blocks of a document, and what a comment on the line before one says of it:
 *
 *     <!-- makes: hello.mp3 -->      it is run, and leaves this file behind with audio in it
 *     <!-- prints: session_id -->    it is run, and prints this
 *     <!-- file: hello.py -->        it is saved, and run by a later block
 *     <!-- page: hello.html -->      it is a page: its script is run, and its button clicked
 *     <!-- script: 1 -->             it is a page's script, which imports from the gateway, and prints this
 *     <!-- not run: why -->
 *
 * A block in one of these languages must have such a comment; blocks in others are only read.
 */
const RUNNABLE = new Set(["sh", "js", "ts", "python", "html"]);

export interface Snippet {
  /** The line its fence stands on, from 1. */
  line: number;
  language: string;
  text: string;
  mark: string;
  /** What the comment says behind the colon. */
  what: string;
}

/** @throws Error that names the line of a block that nothing is said of. */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  for (const match of markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const [, language, text] = match;
    if (!RUNNABLE.has(language!)) continue;
    const before = markdown.slice(0, match.index);
    const line = before.split("\n").length;
    const [, mark, what] = /<!-- (makes|prints|file|page|script|not run): (.+) -->\n+$/.exec(before) ?? [];
    if (mark === undefined)
      throw new Error(`line ${line}: nothing says what becomes of this block (test/support/snippets.ts)`);
    snippets.push({ line, language: language!, text: text!, mark, what: what! });
  }
  return snippets;
}
