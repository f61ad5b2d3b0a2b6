"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const rows = [...document.querySelectorAll("tbody tr")];
const byLayer = new Map(rows.map((row) => [row.dataset.layer, row]));
const boxes = [...document.querySelectorAll(".box")].filter((box) => box.dataset.layers);
const layersOf = (box) => box.dataset.layers.split(" ");
const comma = (count) => count.toLocaleString("en-US");

// As mbprof writes a share: one decimal, of two that are as near the even one.
const percent = (part, whole) => {
  if (whole === 0n) return "–";
  if (part > 0n && part * 2000n < whole) return "<0.1";
  let [tenths, left] = [(1000n * part) / whole, ((1000n * part) % whole) * 2n];
  if (left > whole || (left === whole && tenths % 2n)) tenths += 1n;
  return `${tenths / 10n}.${tenths % 10n}`;
};

const show = (counts, total) => {
  data.heads.forEach((name, k) => { $(name).textContent = comma(total[k]); });
  for (const row of rows) {
    const own = counts.get(row.dataset.layer) ?? data.heads.map(() => 0n);
    data.heads.forEach((name, k) => {
      row.querySelector(`.${name}`).textContent = comma(own[k]);
      row.querySelector(`.${name}_share`).textContent = percent(own[k], total[k]);
    });
  }
  const last = data.heads.length - 1;
  for (const box of boxes) {
    const sums = data.heads.map((_, k) =>
      layersOf(box).reduce((sum, layer) => sum + (counts.get(layer)?.[k] ?? 0n), 0n));
    const text = box.querySelector(".cost"), bar = box.querySelector(".share");
    const said = sums.map((sum, k) => (sum ? `${comma(sum)} ${data.units[k]}` : ""));
    const room = Number(box.querySelector("rect").getAttribute("width")) - 8;
    if (text) {
      text.textContent = said.filter(Boolean).join(" · ");
      text.removeAttribute("textLength");
      if (text.getComputedTextLength() > room) text.setAttribute("textLength", room);
    }
    if (bar) {
      const share = total[last] ? Number(sums[last]) / Number(total[last]) : 0;
      bar.setAttribute("width", Math.max(sums[last] ? 1 : 0, share * room).toFixed(1));
    }
  }
};

const say = (text, wrong) => {
  $("said").textContent = text;
  $("said").classList.toggle("wrong", wrong);
  document.body.classList.toggle("stale", wrong);
};

// What is typed is read as mbprof reads it: whole numbers as such, others as doubles.
const read = (symbol, text) => {
  if (symbol.whole) return /^[0-9]{1,15}$/.test(text) ? BigInt(text) : undefined;
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
};

const compute = () => {
  const texts = data.symbols.map((_, i) => $(`box${i}`).value);
  const values = data.symbols.map((symbol, i) => read(symbol, texts[i]));
  const odd = values.indexOf(undefined);
  const moved = data.symbols.some((symbol, i) => Number(values[i]) !== symbol.value);
  document.body.classList.toggle("moved", moved);
  if (odd >= 0) {
    const { label, whole } = data.symbols[odd];
    return say(`${label} has to be a ${whole ? "whole " : ""}number.`, true);
  }
  const found = evaluate(formula, values);
  if (!found.total) {
    const why = found.condition === undefined ? "a number in it has no value there"
      : `it needs ${data.conditions[found.condition]}`;
    return say(`Out of range: the formula does not hold here; ${why}.`, true);
  }
  const pick = (pair) => pair.slice(0, data.heads.length);
  const counts = new Map();
  data.lines.forEach((layer, i) => counts.set(String(layer), pick(found.lines[i])));
  show(counts, pick(found.total));
  say(moved ? `Computed here, by mbprof's formula. Shapes are those of ${data.at}.` : "", false);
};

const knobs = () => {
  data.symbols.forEach((symbol, i) => {
    const slider = $(`slider${i}`), box = $(`box${i}`);
    const turned = (from, to) => {
      to.value = from.value;
      if (symbol.side && $("square")?.checked) {
        data.symbols.forEach((other, k) => {
          if (other.side) $(`slider${k}`).value = $(`box${k}`).value = from.value;
        });
      }
      compute();
    };
    slider.addEventListener("input", () => turned(slider, box));
    box.addEventListener("input", () => turned(box, slider));
  });
  $("reset").addEventListener("click", () => {
    data.symbols.forEach((symbol, i) => { $(`box${i}`).value = $(`slider${i}`).value = symbol.value; });
    compute();
  });
  $("square")?.addEventListener("change", () => {
    const first = data.symbols.findIndex((symbol) => symbol.side);
    $(`box${first}`).dispatchEvent(new Event("input"));
  });
  $("knobs").addEventListener("submit", (event) => event.preventDefault());
  $("knobs").hidden = false;
};

// A column is sorted by its numbers, from large to small first; words from A to Z.
const sorting = () => {
  const heads = [...document.querySelectorAll("thead th")];
  const value = (row, k) => row.cells[k].textContent;
  const number = (text) => Number(text.replace(/[,<]/g, "")) - (text.startsWith("<") ? 0.05 : 0);
  heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => {
    const numeric = head.classList.contains("count");
    const was = head.getAttribute("aria-sort");
    const up = was === null ? !numeric : was === "descending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const order = k === 0 ? (a, b) => a.dataset.layer - b.dataset.layer
      : numeric ? (a, b) => number(value(a, k)) - number(value(b, k))
        : (a, b) => value(a, k).localeCompare(value(b, k));
    rows.sort((a, b) => order(a, b) * (up ? 1 : -1) || a.dataset.layer - b.dataset.layer);
    document.querySelector("tbody").append(...rows);
  }));
};

const within = (frame, target) => {
  const [outer, inner] = [frame.getBoundingClientRect(), target.getBoundingClientRect()];
  if (inner.top < outer.top + 40) frame.scrollTop += inner.top - outer.top - 40;
  else if (inner.bottom > outer.bottom) frame.scrollTop += inner.bottom - outer.bottom + 8;
};

const marking = () => {
  const mark = (layers, from) => {
    const chosen = new Set(layers);
    rows.forEach((row) => row.classList.toggle("marked", chosen.has(row.dataset.layer)));
    boxes.forEach((box) => box.classList.toggle("marked", layersOf(box).some((l) => chosen.has(l))));
    const row = layers.map((layer) => byLayer.get(layer)).find(Boolean);
    const box = boxes.find((b) => b.classList.contains("marked") && !b.closest("svg").hidden);
    if (from !== "row" && row) within($("table"), row);
    if (from === "row" && box) within($("graphs"), box);
  };
  for (const row of rows) {
    row.addEventListener("pointerenter", () => mark([row.dataset.layer], "row"));
    row.addEventListener("focusin", () => mark([row.dataset.layer], "row"));
  }
  for (const graph of document.querySelectorAll("svg.graph")) {
    const own = boxes.filter((box) => graph.contains(box));
    own.forEach((box, i) => {
      box.setAttribute("tabindex", i ? "-1" : "0");
      box.addEventListener("pointerenter", () => mark(layersOf(box), "box"));
      box.addEventListener("focus", () => { mark(layersOf(box), "box"); within($("graphs"), box); });
      box.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        const next = event.key === "Home" ? own[0] : event.key === "End" ? own.at(-1) : own[i + step];
        if (!next) return;
        event.preventDefault();
        own.forEach((other) => other.setAttribute("tabindex", other === next ? "0" : "-1"));
        next.focus({ preventScroll: true });
      });
    });
  }
};

const choosing = () => {
  const graphs = [...document.querySelectorAll("svg.graph")];
  const buttons = [...document.querySelectorAll(".choice button")];
  buttons.forEach((button, i) => button.addEventListener("click", () => {
    graphs.forEach((graph, k) => graph.toggleAttribute("hidden", k !== i));
    buttons.forEach((other, k) => other.setAttribute("aria-pressed", String(k === i)));
  }));
};

sorting();
marking();
choosing();
if (data.symbols.length) knobs();
