// The table of layers: sorted by any column, grouped by block, shares drawn as bars.
import { breaking, counted, h, percent } from "./dom.js";
import { walked } from "./marks.js";

const state = { by: null, down: true, grouped: true, closed: new Set() };
const COLUMNS = [["name", "layer"], ["op", "op"], ["output", "output"], ["kernel", "kernel"], ["stride", "stride"], ["params", "params"], ["cost", ""]];
const NUMERIC = new Set(["params", "cost"]);

function share(part, whole, kind) {
  const bar = h("i", {});
  bar.style.width = `${whole ? (100 * part) / whole : 0}%`;
  return h("span", { class: `share ${kind}`, "aria-hidden": "true" }, bar);
}

function amounts(row, total, unit) {
  return [["params", "params"], ...(unit ? [["cost", "cost"]] : [])].map(([key, kind]) => {
    const part = row.numbers[key];
    const whole = total.numbers[key];
    return h("td", { class: "number", title: `${percent(part, whole)} %` }, row[key] ?? counted(part), h("span", { class: "part" }, `${percent(part, whole)} %`), share(part, whole, kind));
  });
}

function ordered(rows) {
  if (!state.by) return rows;
  const value = (row) => (NUMERIC.has(state.by) ? row.numbers[state.by] : row[state.by] ?? "");
  const size = (text) => (state.by === "output" ? text.split("×").reduce((n, side) => n * Number(side), 1) : text);
  const compare = (a, b) => {
    const [x, y] = [size(value(a)), size(value(b))];
    return typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
  };
  return [...rows].sort((a, b) => (state.down ? compare(b, a) : compare(a, b)));
}

function groups(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.block, [...(found.get(row.block) ?? []), row]);
  return [...found].map(([block, inside]) => ({
    name: block, op: inside[0].unit, output: inside[inside.length - 1].output, inside,
    numbers: { params: inside.reduce((n, row) => n + row.numbers.params, 0), cost: inside.reduce((n, row) => n + row.numbers.cost, 0) },
  }));
}

export function layers(data, { marked, go, again }) {
  const { unit, total } = data;
  const columns = COLUMNS.filter(([key]) => key !== "cost" || unit).map(([key, said]) => [key, said || unit]);
  const sorted = (key) => {
    if (state.by === key && state.down !== NUMERIC.has(key)) state.by = null;
    else if (state.by === key) state.down = !state.down;
    else Object.assign(state, { by: key, down: NUMERIC.has(key) });
    again();
  };
  const optional = (key) => ({ kernel: "optional", stride: "optional", op: "spare", output: "spare" })[key];
  const head = columns.map(([key, said]) =>
    h("th", { scope: "col", class: NUMERIC.has(key) ? "number" : optional(key), "aria-sort": state.by === key && (state.down ? "descending" : "ascending") },
      h("button", { type: "button", onclick: () => sorted(key) }, said, state.by === key ? (state.down ? " ▾" : " ▴") : "")));
  const line = (row, inside) =>
    h("tr", { class: inside ? "inside" : "", tabindex: "-1", ...marked(row.lines, [row.name], go) },
      h("td", {}, breaking(row.name)), h("td", { class: "spare" }, row.op), h("td", { class: "spare" }, row.output), h("td", { class: "optional" }, row.kernel), h("td", { class: "optional" }, row.stride), ...amounts(row, total, unit));
  const body = [];
  if (!state.grouped) body.push(...ordered(data.rows).map((row) => line(row)));
  else
    for (const group of ordered(groups(data.rows))) {
      if (group.inside.length === 1) { body.push(line(group.inside[0])); continue; }
      const open = !state.closed.has(group.name);
      const turn = () => { state.closed[open ? "add" : "delete"](group.name); again(); };
      body.push(
        h("tr", { class: "group", ...(open ? {} : marked(group.inside.map((row) => row.lines[0]), group.inside.map((row) => row.name), go)) },
          h("th", { scope: "row" }, h("button", { type: "button", "aria-expanded": String(open), onclick: turn }, open ? "▾ " : "▸ ", breaking(group.name))),
          h("td", { class: "spare" }, group.op), h("td", { class: "spare" }, group.output), h("td", { class: "optional" }), h("td", { class: "optional" }), ...amounts(group, total, unit)),
        ...(open ? ordered(group.inside).map((row) => line(row, true)) : []));
    }
  const grouped = h("input", { type: "checkbox", onchange: () => { state.grouped = !state.grouped; again(); } });
  grouped.checked = state.grouped;
  const names = groups(data.rows).filter((group) => group.inside.length > 1).map((group) => group.name);
  const fold = (closed) => { state.closed = new Set(closed ? names : []); again(); };
  return [
    h("div", { class: "tools" },
      h("label", {}, grouped, " group by block"),
      state.grouped && names.length > 0 && h("button", { type: "button", onclick: () => fold(true) }, "Fold all"),
      state.grouped && names.length > 0 && h("button", { type: "button", onclick: () => fold(false) }, "Unfold all")),
    h("div", {},
      h("table", { class: "wide" },
        h("thead", {}, h("tr", {}, head)),
        walked(h("tbody", {}, body), "tr[tabindex]"),
        h("tfoot", {}, h("tr", {}, h("td", {}, "total"), h("td", { class: "spare" }), h("td", { class: "spare" }), h("td", { class: "optional" }), h("td", { class: "optional" }), ...amounts(total, total, unit))))),
    h("ul", { class: "notes" }, data.notes.map((note) => h("li", {}, note))),
  ];
}
