// mbprof itself, in Python: it answers one question at a time, beside the page.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const say = (text) => postMessage({ doing: text });

async function bytes(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

async function started() {
  say("Loading Python …");
  const archive = bytes("python.zip");
  const python = await loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href });
  say("Loading mbprof …");
  python.unpackArchive(await archive, "zip", { extractDir: "/lib/mbprof" });
  say("Starting mbprof …");
  python.runPython("import sys; sys.path.insert(0, '/lib/mbprof')");
  return python.pyimport("mbprof.pages.live").asked;
}

const ready = started();
ready.catch((error) => postMessage({ failed: String(error) }));
onmessage = async ({ data }) => {
  const ask = await ready;
  const began = performance.now();
  try {
    const answer = JSON.parse(ask(JSON.stringify(data.question)));
    postMessage({ id: data.id, answer, ms: performance.now() - began });
  } catch (error) {
    postMessage({ id: data.id, answer: { error: { message: `mbprof failed: ${String(error).trim().split("\n").pop()}`, severity: "error", code: "failure", hint: null, trace: [], line: null, column: null } } });
  }
};
