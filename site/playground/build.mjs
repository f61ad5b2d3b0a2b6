// Bundles the page into the folder that is given; mbprof and the YAML reader lie there already.
import { build } from "esbuild";
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const common = { bundle: true, minify: true, format: "esm", target: "es2022", outdir: out, legalComments: "linked", logLevel: "warning", absWorkingDir: here };
mkdirSync(join(out, "pyodide"), { recursive: true });
await build({ ...common, entryPoints: ["src/main.js"] });
await build({ ...common, entryPoints: ["src/worker.js"], external: ["./pyodide/pyodide.mjs"] });
for (const name of ["index.html", "style.css"]) cpSync(join(here, "src", name), join(out, name));
for (const name of ["spec.schema.json", "mobilenet_v1.yaml"]) cpSync(join(here, "../../specs", name), join(out, name));
cpSync(join(here, "node_modules/elkjs/lib/elk-worker.min.js"), join(out, "elk-worker.min.js"));
for (const name of ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"])
  cpSync(join(here, "node_modules/pyodide", name), join(out, "pyodide", name));
