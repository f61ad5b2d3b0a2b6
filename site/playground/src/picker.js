// The zoo and the block library, one click away.
import { byId, h } from "./dom.js";

/** Show what can be loaded; ``groups`` are pairs of a heading and entries with name, doc and more. */
export function pick(title, groups, chosen) {
  const dialog = byId("picker");
  const list = h("ul", {});
  const search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search", oninput: () => show() });
  const show = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [];
    for (const [heading, entries] of groups) {
      const kept = entries.filter((e) => wanted.every((word) => `${e.name} ${e.doc} ${heading}`.toLowerCase().includes(word)));
      if (!kept.length) continue;
      if (heading) rows.push(h("li", {}, h("h3", {}, heading)));
      for (const entry of kept)
        rows.push(h("li", {}, h("button", { type: "button", "data-name": entry.name, onclick: () => { dialog.close(); chosen(entry.name); } },
          h("strong", {}, entry.name), entry.params && h("span", { class: "dim" }, `  ${entry.params} params, ${entry.cost} MACs`), h("small", {}, entry.doc))));
    }
    list.replaceChildren(...(rows.length ? rows : [h("li", { class: "dim" }, "Nothing by that name.")]));
  };
  show();
  dialog.replaceChildren(h("div", { class: "sheet" },
    h("div", { class: "top" }, h("h2", { id: "picker-title" }, title), h("button", { type: "button", onclick: () => dialog.close() }, "Close")),
    search, list));
  if (!dialog.open) dialog.showModal();
  search.focus();
}
