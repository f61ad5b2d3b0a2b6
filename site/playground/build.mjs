// Bundles the page into the folder that is given; mbprof and the YAML reader lie there already.
import { build } from "esbuild";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";

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

// Compiled by the very Python that runs it: to compile it in the browser takes longer than to load it.
const python = await loadPyodide();
python.unpackArchive(new Uint8Array(readFileSync(join(out, "python.zip"))), "zip", { extractDir: "/packed" });
python.runPython(`
import compileall, pathlib, zipfile
packed = pathlib.Path("/packed")
assert compileall.compile_dir(packed, ddir="", quiet=1, legacy=True, invalidation_mode=__import__("py_compile").PycInvalidationMode.UNCHECKED_HASH)
with zipfile.ZipFile("/python.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted(packed.rglob("*")):
        if path.is_file() and path.suffix != ".py":
            entry = zipfile.ZipInfo(str(path.relative_to(packed)), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
`);
writeFileSync(join(out, "python.zip"), python.FS.readFile("/python.zip"));
