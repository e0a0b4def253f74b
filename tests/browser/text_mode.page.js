// Runs in the browser, after `grpcWeb` and `protobuf`: the npm client in text mode (base64 over XMLHttpRequest), which
// connect-web does not speak. Messages are written and read by hand; two fields are enough.

const { GrpcWebClientBase, MethodDescriptor, MethodType } = grpcWeb;
const { BinaryReader, BinaryWriter } = protobuf;

/** A method whose request is an object of `{ field number: text or number }` and whose answer is the same, decoded. */
function method(name, type, answerTexts) {
  const serialize = (fields) => {
    const writer = new BinaryWriter();
    for (const [number, value] of Object.entries(fields)) {
      if (typeof value === "string") writer.writeString(Number(number), value);
      else writer.writeInt32(Number(number), value);
    }
    return writer.getResultBuffer();
  };
  const deserialize = (bytes) => {
    const reader = new BinaryReader(bytes);
    const fields = {};
    while (reader.nextField()) {
      const number = reader.getFieldNumber();
      if (answerTexts.includes(number)) (fields[number] ??= []).push(reader.readString());
      else if (reader.getWireType() === 0) fields[number] = reader.readInt32();
      else if (reader.getWireType() === 2) (fields[number] ??= []).push(reader.readBytes().length);
      else reader.skipField();
    }
    return fields;
  };
  return new MethodDescriptor(`/${name}`, type, Object, Object, serialize, deserialize);
}

const client = new GrpcWebClientBase({ format: "text" });

function unary(api, name, fields, key, answerTexts = []) {
  const metadata = key ? { authorization: `Bearer ${key}` } : {};
  return new Promise((resolve) => {
    const descriptor = method(name, MethodType.UNARY, answerTexts);
    client.rpcCall(`${api}/${name}`, fields, metadata, descriptor, (error, answer) =>
      resolve(error ? { error: { code: error.code, message: error.message, metadata: error.metadata } } : { answer }),
    );
  });
}

/** Opens a stream; what it brings is collected in `globalThis.received`. */
function stream(api, name, fields, key, answerTexts) {
  globalThis.received = [];
  const descriptor = method(name, MethodType.SERVER_STREAMING, answerTexts);
  const call = client.serverStreaming(`${api}/${name}`, fields, { authorization: `Bearer ${key}` }, descriptor);
  call.on("data", (answer) => globalThis.received.push({ answer }));
  call.on("error", (error) => globalThis.received.push({ error: { code: error.code, message: error.message } }));
}
