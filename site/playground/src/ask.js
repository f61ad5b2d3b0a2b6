// Questions to mbprof: one is answered at a time, and of those that wait only the newest of a kind.
// What is being computed can be ended. Where the page is isolated from other origins, Python is
// interrupted; elsewhere its worker is ended and a fresh one started, which takes as long as a start.
const INTERRUPT = 2; // SIGINT
const ISOLATED = globalThis.crossOriginIsolated === true;
/** Nothing came of a question: a newer one took its place, or it was stopped. */
export const [SUPERSEDED, STOPPED] = [null, { stopped: true }];

export function asker(onDoing) {
  const waiting = new Map();
  const flag = ISOLATED ? new Int32Array(new SharedArrayBuffer(4)) : null;
  let worker = null;
  let running = null;
  let count = 0;
  let began = 0;
  let starting = Infinity; // how long a start takes, once that is known

  function start() {
    const own = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
    began = performance.now();
    worker = own;
    own.onmessage = ({ data }) => {
      if (own !== worker) return;
      if (data.doing) return onDoing("start", data.doing);
      if (data.failed) return onDoing("failed", data.failed);
      if (data.ready) {
        starting = performance.now() - began;
        document.documentElement.dataset.starts = Number(document.documentElement.dataset.starts ?? 0) + 1;
        if (running) running.since = performance.now();
        if (running?.late) hurry(running);
        return onDoing(running ? "busy" : "idle");
      }
      if (data.id === running?.id) settle(data.answer.stopped ? running.ended ?? STOPPED : data.answer);
    };
    own.onerror = (event) => own === worker && onDoing("failed", event.message || "the worker did not start");
    own.postMessage({ flag });
  }

  function settle(answer) {
    const done = running;
    running = null;
    done.resolve(answer);
    next();
  }

  function next() {
    if (running || !waiting.size) return onDoing(running ? "busy" : "idle");
    const [kind, question] = waiting.entries().next().value;
    waiting.delete(kind);
    running = { ...question, id: ++count, since: performance.now() };
    onDoing("busy");
    worker.postMessage({ id: running.id, question: running.question });
  }

  /** End what is being computed; its question is answered with what it ended as. */
  function end(as) {
    if (flag) {
      running.ended = as;
      Atomics.store(flag, 0, INTERRUPT);
      return;
    }
    worker.terminate();
    onDoing("start", "Stopped; Python starts again …");
    start();
    settle(as);
  }

  /** End what nobody waits for: at once, or when it has taken as long as a fresh start would. */
  function hurry(own) {
    own.late = true;
    if (starting === Infinity) return;
    setTimeout(() => own === running && end(SUPERSEDED), flag ? 0 : own.since + starting - performance.now());
  }

  const outdated = ({ question }) => "text" in question;

  function drop(as, kept = () => false) {
    for (const [kind, question] of [...waiting])
      if (!kept(question)) { waiting.delete(kind); question.resolve(as); }
  }

  start();
  return {
    /** Ask; a question of a kind takes the place of one that still waits. */
    ask: (question, kind = question.view) =>
      new Promise((resolve) => {
        waiting.get(kind)?.resolve(SUPERSEDED);
        waiting.delete(kind);
        waiting.set(kind, { question, resolve });
        next();
      }),
    /** End what is being computed, and what waits. */
    stop() {
      drop(STOPPED);
      if (running) end(STOPPED);
    },
    /** The text is another one: what is asked of the one before is not worth its time. */
    supersede() {
      drop(SUPERSEDED, (question) => !outdated(question));
      if (running && outdated(running)) hurry(running);
    },
  };
}
