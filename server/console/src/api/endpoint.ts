// Which server the page talks to: the one that served it, or for tests and development another one on this machine.

export interface Endpoint {
  origin: string;
  /** What was asked for by `?api=` and refused. */
  refused?: string;
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * The page's own origin, or the one that `?api=` names, if both are loopback. The key is sent there, so a link must not
 * be able to name just any host. (The page as `millrace` serves it is also held to its own origin by its CSP.)
 */
export function endpointOf(page: URL): Endpoint {
  const asked = page.searchParams.get("api");
  if (asked === null) return { origin: page.origin };
  if (loopback.has(page.hostname) && URL.canParse(asked)) {
    const api = new URL(asked);
    if (api.protocol === "http:" && loopback.has(api.hostname)) return { origin: api.origin };
  }
  return { origin: page.origin, refused: asked };
}
