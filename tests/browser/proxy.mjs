// A TCP proxy in front of the platform that can break connections, as networks do.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  static async start(port) {
    const proxy = new Proxy();
    proxy.upstreamPort = port;
    proxy.open = new Set();
    /** "pass"; "refuse" breaks every new connection; "swallow" delivers requests and breaks at the first answer. */
    proxy.mode = "pass";
    proxy.server = createServer((client) => proxy.accept(client)).listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  accept(client) {
    if (this.mode === "refuse") return client.destroy();
    const upstream = connect(this.upstreamPort, "127.0.0.1");
    const pair = [client, upstream];
    this.open.add(pair);
    const end = () => {
      pair.forEach((socket) => socket.destroy());
      this.open.delete(pair);
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    client.pipe(upstream);
    upstream.on("data", (bytes) => {
      if (this.mode === "swallow") return end();
      client.write(bytes);
    });
  }

  /** Breaks every connection that is open. */
  cut() {
    for (const [client] of this.open) client.destroy();
  }

  async stop() {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }
}
