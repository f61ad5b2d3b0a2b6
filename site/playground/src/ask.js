// Questions to mbprof: one is answered at a time, and of those that wait only the newest of a kind.
export function asker(onDoing) {
  const worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
  const waiting = new Map();
  let running = null;
  let count = 0;

  function next() {
    if (running || !waiting.size) return onDoing(running ? "busy" : "idle");
    const [kind, question] = waiting.entries().next().value;
    waiting.delete(kind);
    running = { ...question, id: ++count };
    onDoing("busy");
    worker.postMessage({ id: running.id, question: running.question });
  }

  worker.onmessage = ({ data }) => {
    if (data.doing) return onDoing("start", data.doing);
    if (data.failed) return onDoing("failed", data.failed);
    const done = running;
    running = null;
    done.resolve(data.answer);
    next();
  };
  worker.onerror = (event) => onDoing("failed", event.message || "the worker did not start");

  /** Ask; a question of a kind takes the place of one that still waits, which is answered with null. */
  return (question, kind = question.view) =>
    new Promise((resolve) => {
      waiting.get(kind)?.resolve(null);
      waiting.delete(kind);
      waiting.set(kind, { question, resolve });
      next();
    });
}
