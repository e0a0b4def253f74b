// Another origin: the page, and the pages of this folder, from a plain server on a port of its own.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { load, root } from "./parts.mjs";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

const dist = join(root, "server/console/dist");

/** Addresses and where their bytes are. The two packages are CommonJS; a page needs them wrapped. */
const files = {
  "/": () => readFile(join(dist, "index.html")),
  "/app.js": () => readFile(join(dist, "app.js")),
  "/app.css": () => readFile(join(dist, "app.css")),
  "/icon.svg": () => readFile(join(dist, "icon.svg")),
  "/text_mode.html": () => '<!doctype html><title>Text mode</title><script src="text_mode.js"></script>',
  "/text_mode.js": async () =>
    (await wrapped("grpcWeb", "grpc-web")) +
    (await wrapped("protobuf", "google-protobuf")) +
    (await readFile(join(import.meta.dirname, "text_mode.page.js"), "utf8")),
};

async function wrapped(name, module) {
  const source = await readFile(load.resolve(module), "utf8");
  return `globalThis.${name} = (() => {
    const module = { exports: {} };
    let exports = module.exports;
    ${source}
    return module.exports;
  })();\n`;
}

export class Site {
  static async start() {
    const site = new Site();
    site.server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url, "http://site");
      const file = files[pathname];
      if (!file) return response.writeHead(404).end();
      const type = types[extname(pathname) || ".html"];
      response.writeHead(200, { "content-type": type }).end(await file());
    }).listen(0, "127.0.0.1");
    await once(site.server, "listening");
    site.port = site.server.address().port;
    site.url = `http://127.0.0.1:${site.port}`;
    return site;
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}
