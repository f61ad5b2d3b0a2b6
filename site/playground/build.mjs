// Bundles the page into the folder that is given; mbprof and the YAML reader lie there already.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const common = { bundle: true, minify: true, format: "esm", target: "es2022", outdir: out, legalComments: "linked", logLevel: "warning", absWorkingDir: here };
mkdirSync(join(out, "pyodide"), { recursive: true });
await build({ ...common, entryPoints: ["src/main.js"], splitting: true, chunkNames: "part-[hash]" });
await build({ ...common, entryPoints: ["src/worker.js"], external: ["./pyodide/pyodide.mjs"] });
for (const name of ["index.html", "style.css"]) cpSync(join(here, "src", name), join(out, name));
for (const name of ["spec.schema.json", "mobilenet_v1.yaml"]) cpSync(join(here, "../../specs", name), join(out, name));
cpSync(join(here, "node_modules/elkjs/lib/elk-worker.min.js"), join(out, "elk-worker.min.js"));
for (const name of ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"])
  cpSync(join(here, "node_modules/pyodide", name), join(out, "pyodide", name));

// Compiled by the very Python that runs it: to compile a module in the browser takes longer than to load it.
const python = await loadPyodide();
python.globals.set("script", readFileSync(join(here, "compiled.py"), "utf8"));
python.runPython("exec(script)");
for (const name of ["python.zip", "pyodide/python_stdlib.zip"]) {
  const path = join(out, name);
  python.FS.writeFile("/in.zip", readFileSync(path));
  python.runPython("compiled('/in.zip', '/out.zip')");
  writeFileSync(path, python.FS.readFile("/out.zip"));
}

// What the page keeps for when there is no network: every file, under a name that changes with any of them.
const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(out.replace(/\/?$/, "/").length)).filter((name) => !name.endsWith(".txt")).sort();
const digest = createHash("sha256");
for (const name of files) digest.update(name).update(readFileSync(join(out, name)));
await build({ ...common, entryPoints: ["src/offline.js"], format: "iife", define: { FILES: JSON.stringify(["./", ...files]), VERSION: JSON.stringify(digest.digest("hex").slice(0, 16)) } });
