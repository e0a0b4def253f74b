// shelf.v1.Shelf on grpc-js, whose reflection knows no options: the HTTP rules of shelf.proto are lost on the way.
//
// node server.mjs SHELF_PROTO IP:PORT, where port 0 is any that is free. Prints `listening PORT` and serves until it is
// killed. FOREIGN_MODULES is the folder of the npm packages.

import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

const require = createRequire(`${process.env.FOREIGN_MODULES}/`);
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");
const protobuf = require("protobufjs");

const [, , proto, address] = process.argv;
const imported = fileURLToPath(new URL("../../../proto", import.meta.url));
const definition = loader.loadSync(proto, { includeDirs: [imported], longs: String });
const { Shelf } = grpc.loadPackageDefinition(definition).shelf.v1;

/** How many calls of Wait have begun and ended, and who is to be told. */
const calls = { begun: 0, ended: 0, waiting: new Set() };

function count(what) {
  calls[what] += 1;
  for (const look of calls.waiting) look();
}

const functions = {
  getBook({ request }, answer) {
    if (request.name.endsWith("/none")) return answer(missing(request.name));
    const { name, tags, printed } = request;
    answer(null, { name, title: "Emma", copies: "9007199254740993", tags, genre: 1, printed });
  },

  createBook({ request: { parent, book, bookId } }, answer) {
    answer(null, { ...book, name: `${parent}/books/${bookId}` });
  },

  listBooks(call) {
    const { parent, count: wanted, fails } = call.request;
    for (let number = 0; number < (wanted ?? 0); number += 1) call.write({ name: `${parent}/books/${number}` });
    if (fails) call.emit("error", { code: grpc.status.ABORTED, details: "the shelf fell" });
    else call.end();
  },

  addBooks(call, answer) {
    const titles = [];
    call.on("data", (book) => titles.push(book.title));
    call.on("end", () => answer(null, { count: titles.length, titles }));
  },

  wait(call) {
    count("begun");
    call.on("cancelled", () => count("ended"));
  },

  awaitCalls({ request }, answer) {
    const look = () => {
      if (calls.begun < (request.begun ?? 0) || calls.ended < (request.ended ?? 0)) return;
      calls.waiting.delete(look);
      answer(null, { begun: calls.begun, ended: calls.ended });
    };
    calls.waiting.add(look);
    look();
  },
};

/** NOT_FOUND with an ErrorInfo: a google.rpc.Status by hand, because grpc-js leaves it to its callers. */
function missing(name) {
  const message = "there is no such book";
  const writer = () => protobuf.Writer.create();
  const text = (to, field, value) => to.uint32((field << 3) | 2).string(value);
  const nested = (to, field, value) => to.uint32((field << 3) | 2).bytes(value.finish());
  const info = text(text(writer(), 1, "BOOK_MISSING"), 2, "shelf.example");
  nested(info, 3, text(text(writer(), 1, "name"), 2, name));
  const any = nested(text(writer(), 1, "type.googleapis.com/google.rpc.ErrorInfo"), 2, info);
  const status = nested(text(writer().uint32(8).int32(grpc.status.NOT_FOUND), 2, message), 3, any);
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(status.finish()));
  return { code: grpc.status.NOT_FOUND, details: message, metadata };
}

const server = new grpc.Server();
server.addService(Shelf.service, functions);
new ReflectionService(definition).addToServer(server);
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log("listening", port);
});
