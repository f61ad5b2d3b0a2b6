// Asks yaml-language-server over its protocol, as an editor does.
// The file named holds {schema: URI, documents: {name: text}, asked: [[method, name, line, character], ...]};
// prints {diagnostics: {name: [...]}, answers: [...]}. Lines and characters count from 0.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { StreamMessageReader, StreamMessageWriter, createMessageConnection } from "vscode-jsonrpc/node.js";

const { schema, documents, asked } = JSON.parse(readFileSync(process.argv[2]));
const program = fileURLToPath(new URL("node_modules/yaml-language-server/bin/yaml-language-server", import.meta.url));
const server = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const connection = createMessageConnection(
  new StreamMessageReader(server.stdout),
  new StreamMessageWriter(server.stdin),
);

const settings = {
  schemas: { [schema]: "*.yaml" },
  schemaStore: { enable: false },
  validate: true,
  hover: true,
  completion: true,
};
const uriOf = (name) => `file:///${name}`;
const published = new Map();
connection.onRequest("workspace/configuration", ({ items }) =>
  items.map(({ section }) => (section === "yaml" ? settings : null)),
);
connection.onRequest("client/registerCapability", () => null);
connection.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }) => published.get(uri)?.(diagnostics));
connection.listen();

await connection.sendRequest("initialize", {
  processId: process.pid,
  rootUri: null,
  capabilities: {
    workspace: { configuration: true },
    textDocument: {
      completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
      hover: { contentFormat: ["markdown"] },
      publishDiagnostics: {},
    },
  },
});
connection.sendNotification("initialized", {});
connection.sendNotification("workspace/didChangeConfiguration", { settings: { yaml: settings } });

const diagnostics = {};
for (const [name, text] of Object.entries(documents)) {
  const uri = uriOf(name);
  const found = new Promise((resolve) => published.set(uri, resolve));
  const textDocument = { uri, languageId: "yaml", version: 1, text };
  connection.sendNotification("textDocument/didOpen", { textDocument });
  diagnostics[name] = await found;
}
const answers = [];
for (const [method, name, line, character] of asked) {
  const at = { textDocument: { uri: uriOf(name) }, position: { line, character } };
  answers.push(await connection.sendRequest(`textDocument/${method}`, at));
}
await connection.sendRequest("shutdown");
connection.sendNotification("exit");
await once(server, "exit");
process.stdout.write(JSON.stringify({ diagnostics, answers }));
