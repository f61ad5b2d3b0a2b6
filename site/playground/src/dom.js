// Elements from plain data. What a spec says only ever becomes text: no markup is parsed anywhere.
const SVG = "http://www.w3.org/2000/svg";

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, props, ...children) => filled(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => filled(document.createElementNS(SVG, tag), props, children);
export const byId = (id) => document.getElementById(id);

/** A name that breaks behind its underscores and slashes where there is no room. */
export const breaking = (name) => name.split(/(?<=[_/])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));

/** The number as people read it. */
export const counted = (number) => number.toLocaleString("en-US");
export const percent = (part, whole) => (!whole ? "–" : part && part / whole < 0.0005 ? "<0.1" : ((100 * part) / whole).toFixed(1));

export async function copied(text, button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it by hand";
  }
  setTimeout(() => (button.textContent = said), 1500);
}

/** A report of mbprof as tables: headings, cells, total, notes, and what follows. */
export function report(data) {
  const lines = [];
  if (data.title) lines.push(h("p", {}, h("strong", {}, data.title)));
  for (const line of data.lead) lines.push(h("p", {}, line));
  if (data.text) lines.push(h("pre", {}, data.text));
  else if (data.rows.length) {
    const cells = (row, tag = "td") =>
      row.map((cell, i) => h(tag, { class: data.columns[i].numeric && "number" }, cell));
    lines.push(
      h("div", { class: "scroll" },
        h("table", {},
          h("thead", {}, h("tr", {}, data.columns.map((c) => h("th", { scope: "col", title: c.doc, class: c.numeric && "number" }, c.heading)))),
          h("tbody", {}, data.rows.map((row) => h("tr", {}, cells(row)))),
          data.total && h("tfoot", {}, h("tr", {}, cells(data.total))))));
  }
  if (data.notes.length) lines.push(h("ul", { class: "notes" }, data.notes.map((note) => h("li", {}, note))));
  return [...lines, ...data.more.flatMap(report)];
}
