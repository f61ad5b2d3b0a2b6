// The tabs: what each asks of mbprof, and how the answer is drawn.
import { copied, h, report } from "./dom.js";
import { graph } from "./graph.js";
import { layers } from "./layers.js";

const chosen = { by: "net", style: "text", document: "md", number: "" };
const BY = { net: "the whole network", block: "each block", layer: "each layer" };
const STYLES = { text: "text", latex: "LaTeX", md: "Markdown" };
const DOCUMENTS = { md: "Markdown", csv: "CSV", json: "JSON" };

function choice(label, key, options, again) {
  const select = h("select", { onchange: (event) => { chosen[key] = event.target.value; again(); } },
    Object.entries(options).map(([value, said]) => h("option", { value, selected: chosen[key] === value }, said)));
  return h("label", {}, `${label} `, select);
}

function finding(found, page) {
  return h("div", { class: `finding ${found.severity}` },
    h("p", {}, h("span", { class: "code" }, found.code), ` ${found.severity}`, found.line && " · ",
      found.line && h("button", { type: "button", onclick: () => page.go(found.line) }, `line ${found.line}`)),
    h("p", {}, found.message),
    found.hint && h("p", { class: "hint" }, found.hint));
}

async function explained(answer, page) {
  const result = h("div", { id: "found", "aria-live": "polite" });
  const input = h("input", { type: "text", id: "number", value: chosen.number, placeholder: "such as 578.88M", "aria-label": "A number that somebody printed" });
  const search = async () => {
    chosen.number = input.value.trim();
    if (!chosen.number) return result.replaceChildren();
    result.replaceChildren(h("p", { class: "dim" }, "Looking …"));
    const found = await page.ask({ view: "number", asked: chosen.number });
    if (found?.stopped) result.replaceChildren(h("p", { class: "dim" }, "Stopped before it was looked for everywhere."));
    else if (found) result.replaceChildren(...(found.error ? [h("p", { class: "hint" }, [found.error.message, found.error.hint].filter(Boolean).join("; "))] : report(found)));
  };
  const form = h("form", { class: "tools", onsubmit: (event) => { event.preventDefault(); search(); } },
    h("label", {}, "Where does a number come from? ", input), h("button", { type: "submit" }, "Ask"));
  return [form, result, ...report(answer)];
}

async function swept(answer, page) {
  const { plane } = await import("./plane.js");
  const box = h("div", {});
  const draw = () => box.replaceChildren(...plane(answer, draw, page.width));
  draw();
  const rows = h("div", {}, h("p", { class: "dim" }, "Computing the grid …"));
  page.grid().then((grid) => {
    if (grid?.stopped) rows.replaceChildren(h("p", { class: "dim" }, "Stopped."));
    if (!grid?.cells) return;
    const sides = [...new Set(grid.cells.map((cell) => cell.res))];
    const alphas = [...new Set(grid.cells.map((cell) => cell.alpha))];
    const here = (alpha, res) => page.at("res") === res && (!alpha || Number(page.at("alpha")) === Number(alpha));
    const at = (alpha, res) => grid.cells.find((cell) => cell.alpha === alpha && cell.res === res);
    rows.replaceChildren(
      h("p", {}, h("strong", {}, `${page.unit || "cost"} and params at usual widths and resolutions`)),
      h("div", { class: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, alphas[0] ? "alpha" : ""), h("th", { scope: "col", class: "number" }, "params"), sides.map((side) => h("th", { scope: "col", class: "number" }, `res ${side}`)))),
        h("tbody", {}, alphas.map((alpha) => h("tr", {}, h("th", { scope: "row" }, alpha),
          h("td", { class: "number" }, sides.map((side) => at(alpha, side)).find(Boolean)?.params ?? "–"),
          sides.map((side) => h("td", { class: `number ${here(alpha, side) ? "here" : ""}`, "aria-current": here(alpha, side) && "true" }, at(alpha, side)?.cost ?? "–"))))))));
  });
  return [box, rows];
}

/** What stands beside a tab where the page is wide. */
export const BESIDE = { layers: "graph", graph: "layers" };

/** Each tab: its name, what it asks, and how the answer is drawn. */
export const TABS = {
  layers: { title: "Layers", question: null, draw: (table, page) => layers(table, page) },
  graph: { title: "Graph", question: () => ({ view: "graph" }), draw: (answer, page) => graph({ ...answer, name: page.name }, page) },
  explain: { title: "Explain", question: () => ({ view: "explain" }), draw: explained },
  checks: {
    title: "Checks", question: () => ({ view: "findings" }),
    draw: (answer, page) => [h("p", {}, h("strong", {}, answer.title)), answer.sizes && h("p", {}, answer.sizes), ...answer.findings.map((found) => finding(found, page))],
  },
  formula: {
    title: "Formula", question: () => ({ view: "formula", by: chosen.by, format: chosen.style }),
    draw: (answer, page) => [h("div", { class: "tools" }, choice("For", "by", BY, page.ask_again), choice("as", "style", STYLES, page.ask_again),
      h("button", { type: "button", onclick: (event) => copied(answer.text, event.target) }, "Copy")), h("pre", {}, answer.text)],
  },
  sweep: { title: "Sweep", question: () => ({ view: "plane" }), draw: swept },
  diff: { title: "Diff", question: (page) => ({ view: "changes", before: page.before }), draw: (answer) => [h("p", { class: "dim" }, "Against the network as it was loaded."), ...report(answer)] },
  copy: {
    title: "Copy", question: () => ({ view: "document", format: chosen.document }),
    draw: (answer, page) => [h("div", { class: "tools" }, choice("As", "document", DOCUMENTS, page.ask_again),
      h("button", { type: "button", onclick: (event) => copied(answer.text, event.target) }, "Copy")),
      h("textarea", { class: "copy", readonly: true, spellcheck: "false", "aria-label": "The table" }, answer.text)],
  },
};
