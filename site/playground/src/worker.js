// mbprof itself, in Python: it answers one question at a time, beside the page.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const say = (text) => postMessage({ doing: text });

async function bytes(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

let flag = null;
async function started() {
  say("Loading Python …");
  const archive = bytes("python.zip");
  const python = await loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href });
  say("Loading mbprof …");
  python.unpackArchive(await archive, "zip", { extractDir: "/lib/mbprof" });
  say("Starting mbprof …");
  python.runPython("import sys; sys.path.insert(0, '/lib/mbprof')");
  const ask = python.pyimport("mbprof.pages.live").asked;
  if (flag) python.setInterruptBuffer(flag);
  postMessage({ ready: true });
  return ask;
}

const ready = started();
ready.catch((error) => postMessage({ failed: String(error) }));
onmessage = async ({ data }) => {
  if ("flag" in data) return (flag = data.flag);
  const ask = await ready;
  if (flag) Atomics.store(flag, 0, 0); // what came too late for the question before
  const failure = (message) => ({ error: { message, severity: "error", code: "failure", hint: null, trace: [], line: null, column: null } });
  try {
    postMessage({ id: data.id, answer: JSON.parse(ask(JSON.stringify(data.question))) });
  } catch (error) {
    const last = String(error).trim().split("\n").pop();
    postMessage({ id: data.id, answer: /KeyboardInterrupt/.test(last) ? { stopped: true } : failure(`mbprof failed: ${last}`) });
  }
};
