import type { IncomingMessage } from "node:http";

/** Nothing came for too long. */
export class IdleError extends Error {
  override name = "IdleError";
}

/**
 * A request's body as it comes. Read this way and not by `for await`, so that a body given up can still be drained:
 * the answer to it then arrives, where a destroyed request would take the connection along.
 * @throws IdleError when nothing comes for `idleMs`; time spent on what was yielded does not count.
 */
export async function* readWithin(request: IncomingMessage, idleMs: number): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const chunk = request.read() as Uint8Array | null;
    if (chunk) yield chunk;
    else if (request.readableEnded) return;
    else await change(request, idleMs);
  }
}

function change(request: IncomingMessage, idleMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new IdleError(`no input came for ${idleMs} ms`)), idleMs);
    const onChange = () => settle();
    const onClose = () => settle(new Error("the request was closed before its end"));
    function settle(error?: Error): void {
      clearTimeout(timer);
      request.off("readable", onChange).off("end", onChange).off("error", settle).off("close", onClose);
      if (error) reject(error);
      else resolve();
    }
    request.once("readable", onChange).once("end", onChange).once("error", settle).once("close", onClose);
    if (request.destroyed) onClose(); // before we came: none of these events would follow
  });
}
