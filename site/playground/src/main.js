import { asker } from "./ask.js";
import { byId, copied, h } from "./dom.js";
import { editor } from "./editor.js";
import { settings } from "./knobs.js";
import { packed, unpacked } from "./link.js";
import { pick } from "./picker.js";
import { TABS } from "./views.js";

const FIRST = "mobilenet_v1.yaml";
const PAUSE = 60;
const ALPHAS = ["0.25", "0.5", "0.75", "1", "1.4"];
const SIDES = ["96", "128", "160", "192", "224"];

const state = { given: {}, scope: null, convention: "kernels", before: "", tab: "layers", table: null, revision: 0 };
const panel = byId("panel");
let offers = null;
let show_knobs = null;
let problems = [];

function doing(kind, text) {
  const status = byId("status");
  status.classList.toggle("busy", kind === "start" || kind === "busy");
  status.textContent = kind === "start" ? text : kind === "failed" ? `mbprof did not start: ${text}` : kind === "busy" ? (offers ? "Computing …" : status.textContent) : offers ? `mbprof ${offers.version}, ready` : status.textContent;
}
const ask = asker(doing);
const typed = () => ({ text: yaml.text(), given: state.given, scope: state.scope, convention: state.convention });

const page = {
  mark(lines, rows = []) {
    yaml.mark(lines);
    for (const row of panel.querySelectorAll(".marked")) row.classList.remove("marked");
    const names = new Set(rows);
    for (const row of panel.querySelectorAll("[data-layer]")) row.classList.toggle("marked", names.has(row.dataset.layer));
  },
  go: (line) => yaml.go(line),
  again: (focus) => draw(focus),
  ask_again: () => fill(),
  ask: (question) => ask({ ...typed(), ...question }),
  get before() { return state.before; },
  get name() { return state.table?.name; },
  get unit() { return state.table?.unit; },
  fresh: () => true,
  grid() {
    const knobs = state.table.knobs;
    const has = (name, kind) => knobs.some((knob) => knob.name === name && knob.kind === kind);
    return page.ask({ view: "grid", alphas: has("alpha", "number") ? ALPHAS : [], sides: has("res", "size") ? SIDES : [] });
  },
};

let answer = null;
async function draw(focus) {
  const tab = state.tab;
  const revision = state.revision;
  const content = await TABS[tab].draw(answer, { ...page, fresh: () => tab === state.tab && revision === state.revision });
  if (!content || tab !== state.tab) return;
  const [top, left] = [panel.scrollTop, panel.scrollLeft];
  panel.replaceChildren(...content.filter(Boolean));
  panel.scrollTo(left, top);
  if (focus) panel.querySelector(`[data-block="${CSS.escape(focus)}"]`)?.focus();
}

/** Fill the tab that is shown. */
async function fill() {
  if (!state.table) return;
  const { tab, revision } = state;
  const question = TABS[tab].question?.(page);
  if (question && !panel.childElementCount) panel.replaceChildren(h("p", { class: "dim" }, "Computing …"));
  const found = question ? await page.ask(question) : state.table;
  if (!found || tab !== state.tab || revision !== state.revision) return;
  answer = found;
  if (found.error) panel.replaceChildren(h("p", {}, found.error.message), found.error.hint ? h("p", { class: "dim" }, found.error.hint) : "");
  else await draw();
}

function failed(error) {
  const said = [error.line ? `line ${error.line}: ${error.message}` : error.message, error.hint && `hint: ${error.hint}`, ...error.trace];
  const back = h("button", { type: "button", onclick: () => { state.given = {}; changed(); } }, "Set the knobs back");
  byId("problem").replaceChildren(said.filter(Boolean).join("\n"), Object.keys(state.given).length ? h("div", {}, back) : "");
  byId("problem").hidden = false;
  byId("answers").classList.add("stale");
  yaml.show([error]);
}

async function answered() {
  const revision = ++state.revision;
  const table = await ask({ ...typed(), view: "table" });
  if (!table || revision !== state.revision) return;
  if (table.error) return failed(table.error);
  byId("problem").hidden = true;
  byId("answers").classList.remove("stale");
  state.table = table;
  byId("title").textContent = table.title;
  byId("total").textContent = `${table.total.params} params${table.unit ? `, ${table.total.cost} ${table.unit}` : ""}`;
  document.documentElement.dataset.revision = revision;
  show_knobs(table.knobs, table.scope);
  await fill();
  if (revision !== state.revision) return;
  const checked = state.tab === "checks" ? answer : await page.ask({ view: "findings" });
  if (!checked || revision !== state.revision) return;
  problems = checked.findings ?? [];
  yaml.show(problems);
  keep();
}

async function keep() {
  const fragment = await packed({ text: yaml.text(), before: state.before === yaml.text() ? undefined : state.before, given: state.given, scope: state.scope ?? undefined, convention: state.convention });
  history.replaceState(null, "", `#${fragment}`);
  return location.href;
}

let timer = 0;
function changed() {
  clearTimeout(timer);
  state.revision++;
  timer = setTimeout(() => offers && answered(), PAUSE);
}

function choose(tab) {
  state.tab = tab;
  for (const button of byId("tabs").children) {
    const own = button.dataset.tab === tab;
    button.setAttribute("aria-selected", String(own));
    button.tabIndex = own ? 0 : -1;
    if (own) panel.setAttribute("aria-labelledby", button.id);
  }
  panel.replaceChildren();
  page.mark([]);
  fill();
}

function tabs() {
  const names = Object.keys(TABS);
  byId("tabs").append(...names.map((tab) =>
    h("button", { type: "button", role: "tab", id: `tab-${tab}`, "data-tab": tab, "aria-controls": "panel", onclick: () => choose(tab) }, TABS[tab].title)));
  byId("tabs").addEventListener("keydown", (event) => {
    const at = names.indexOf(state.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = names[(to + names.length) % names.length];
    choose(tab);
    byId(`tab-${tab}`).focus();
  });
  choose(state.tab);
}

async function take(name) {
  const text = await ask({ view: "text_of", name });
  Object.assign(state, { given: {}, scope: null, before: text });
  yaml.replace(text);
  changed();
}

async function opened() {
  const link = await unpacked(location.hash).catch(() => null);
  if (link) return link;
  const text = await (await fetch(FIRST)).text();
  return { text, given: {}, scope: null, convention: "kernels" };
}

const first = await opened();
Object.assign(state, { given: first.given, scope: first.scope, convention: first.convention, before: first.before ?? first.text });
const yaml = editor(byId("editor"), first.text, changed);
tabs();
byId("share").addEventListener("click", async (event) => copied(await keep(), event.target));
window.addEventListener("hashchange", async () => {
  const link = await unpacked(location.hash).catch(() => null);
  if (!link) return;
  Object.assign(state, { given: link.given, scope: link.scope, convention: link.convention, before: link.before ?? link.text });
  yaml.replace(link.text);
  changed();
});

offers = await ask({ view: "start" });
show_knobs = settings(byId("knobs"), offers, state, changed);
if (!offers.conventions.includes(state.convention)) state.convention = "kernels";
byId("pick-network").addEventListener("click", async () => {
  offers.networks ??= await ask({ view: "networks" });
  const families = Map.groupBy ? Map.groupBy(offers.networks, (entry) => entry.family) : new Map([["", offers.networks]]);
  pick("Networks of the zoo", [...families], take);
});
byId("pick-block").addEventListener("click", async () => {
  offers.described ??= await ask({ view: "blocks" });
  pick("The block library", [["", offers.described]], take);
});
await answered();
