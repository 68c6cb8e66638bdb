// A file in messages of 256 KiB by ws: node ws.mjs serve PORT FILE | send PORT FILE
import { createReadStream, createWriteStream } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.INTEROP}/node/`);
const { WebSocket, WebSocketServer } = require("ws");
const [role, port, file] = process.argv.slice(2);

if (role === "serve") {
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
  server.on("connection", (socket) => {
    const out = createWriteStream(file);
    socket.on("message", (data, isBinary) => {
      if (!isBinary) {
        out.end(() => socket.send("done"));
      } else if (!out.write(data)) {
        socket.pause();
        out.once("drain", () => socket.resume());
      }
    });
  });
  process.on("SIGTERM", () => process.exit(0));
} else {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  socket.on("open", async () => {
    for await (const piece of createReadStream(file, { highWaterMark: 256 << 10 })) {
      await new Promise((sent) => socket.send(piece, sent));
    }
    socket.send("end");
  });
  socket.on("message", () => process.exit(0));
  socket.on("error", () => process.exit(1));
}
