// A file by tus in one PATCH: node tus.mjs serve PORT DIR | send PORT FILE
import { createReadStream, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";

const require = createRequire(`${process.env.INTEROP}/node/`);
const [role, port, path] = process.argv.slice(2);

if (role === "serve") {
  const { Server } = require("@tus/server");
  const { FileStore } = require("@tus/file-store");
  const tus = new Server({ path: "/files", datastore: new FileStore({ directory: path }) });
  createServer((request, response) => tus.handle(request, response)).listen(Number(port), "127.0.0.1");
  process.on("SIGTERM", () => process.exit(0));
} else {
  const { Upload } = require("tus-js-client");
  const upload = new Upload(createReadStream(path), {
    endpoint: `http://127.0.0.1:${port}/files`,
    uploadSize: statSync(path).size,
    chunkSize: Infinity,
    onSuccess: () => process.exit(0),
    onError: (error) => {
      console.error(error);
      process.exit(1);
    },
  });
  upload.start();
}
