import { asker } from "./ask.js";
import { byId, copied, h } from "./dom.js";
import { editor } from "./editor.js";
import { settings, SLIDERS } from "./knobs.js";
import { packed, unpacked } from "./link.js";
import { marks } from "./marks.js";
import { pick } from "./picker.js";
import { BESIDE, TABS } from "./views.js";

const FIRST = "mobilenet_v1.yaml";
const PAUSE = 60;
const PATIENCE = 700; // so long something computes before it can be stopped

const state = { given: {}, scope: null, convention: "kernels", before: "", tab: "layers", table: null, revision: 0 };
const panes = { main: byId("content"), beside: byId("beside") };
const wide = matchMedia("(min-width: 1900px)");
let offers = null;
let show_knobs = null;

let patience = 0;
function doing(kind, text) {
  const [status, stop] = [byId("status"), byId("stop")];
  const busy = kind === "start" || kind === "busy";
  status.classList.toggle("busy", busy);
  status.textContent = kind === "start" ? text : kind === "failed" ? `mbprof did not start: ${text}` : kind === "busy" ? (offers ? "Computing …" : status.textContent) : offers ? `mbprof ${offers.version}, ready` : status.textContent;
  if (kind === "busy" && offers) patience ||= setTimeout(() => (stop.hidden = false), PATIENCE);
  else {
    patience = clearTimeout(patience) ?? 0;
    if (stop === document.activeElement) byId("panel").focus();
    stop.hidden = true;
  }
}
const { ask, stop, supersede } = asker(doing);
const typed = () => ({ text: yaml.text(), given: state.given, scope: state.scope, convention: state.convention });
const marked = marks(Object.values(panes), (lines) => yaml.mark(lines));

const page = {
  ...marked,
  go: (line) => yaml.go(line),
  ask: (question) => ask({ ...typed(), ...question }),
  get before() { return state.before; },
  get name() { return state.table?.name; },
  get unit() { return state.table?.unit; },
  at: (name) => state.given[name] ?? state.table.knobs.find((knob) => knob.name === name)?.value,
  grid() {
    const knobs = state.table.knobs;
    const has = (name, kind) => knobs.some((knob) => knob.name === name && knob.kind === kind);
    return page.ask({ view: "grid", alphas: has("alpha", "number") ? SLIDERS.alpha.usual : [], sides: has("res", "size") ? SLIDERS.res.usual : [] });
  },
};

/** A place where a tab is shown: what it shows, and the answer that it shows it of. */
function pane(place, shown) {
  let answer = null;
  const now = () => { const [tab, revision] = [shown(), state.revision]; return () => tab === shown() && revision === state.revision; };

  async function draw(focus) {
    const fresh = now();
    const content = await TABS[shown()].draw(answer, { ...page, again: draw, ask_again: fill, fresh, width: place.clientWidth });
    if (!content || !fresh()) return;
    const opened = !place.querySelector("[data-layers]");
    const scrolled = place.closest(".scrolls");
    const [top, left] = [scrolled.scrollTop, scrolled.scrollLeft];
    place.replaceChildren(...content.filter(Boolean));
    scrolled.scrollTo(left, top);
    marked.again(place, opened);
    if (focus) place.querySelector(`[data-block="${CSS.escape(focus)}"]`)?.focus();
  }

  /** Ask for what the tab shows, and show it. */
  async function fill() {
    if (!state.table || !shown()) return null;
    const fresh = now();
    const question = TABS[shown()].question?.(page);
    if (question && !place.childElementCount) place.replaceChildren(h("p", { class: "dim" }, "Computing …"));
    const found = question ? await page.ask(question) : state.table;
    if (!found || !fresh()) return null;
    answer = found;
    if (found.stopped) place.replaceChildren(again("Stopped before this was computed.", fill));
    else if (found.error) place.replaceChildren(h("p", {}, found.error.message), found.error.hint ? h("p", { class: "dim" }, found.error.hint) : "");
    else await draw();
    return found;
  }
  return fill;
}

const again = (said, action) => h("p", {}, `${said} `, h("button", { type: "button", onclick: action }, "Compute it"));
const fill_main = pane(panes.main, () => state.tab);
const fill_beside = pane(panes.beside, () => (wide.matches ? BESIDE[state.tab] : undefined));

function alone() {
  const beside = wide.matches && BESIDE[state.tab];
  panes.beside.hidden = !beside;
  panes.beside.setAttribute("aria-label", beside ? TABS[beside].title : "");
}

function problem(...said) {
  byId("problem").replaceChildren(...said);
  byId("problem").hidden = false;
  byId("answers").classList.add("stale");
}

function failed(error) {
  const said = [error.line ? `line ${error.line}: ${error.message}` : error.message, error.hint && `hint: ${error.hint}`, ...error.trace];
  const back = h("button", { type: "button", onclick: () => { state.given = {}; changed(); } }, "Set the knobs back");
  problem(said.filter(Boolean).join("\n"), Object.keys(state.given).length ? h("div", {}, back) : "");
  yaml.show([error]);
}

async function answered() {
  const revision = ++state.revision;
  const table = await ask({ ...typed(), view: "table" });
  if (!table || revision !== state.revision) return;
  if (table.stopped) return problem(again("Stopped before this was computed: what stands below is of the text before.", answered));
  if (table.error) return failed(table.error);
  byId("problem").hidden = true;
  byId("answers").classList.remove("stale");
  state.table = table;
  byId("title").textContent = table.title;
  byId("total").textContent = `${table.total.params} params${table.unit ? `, ${table.total.cost} ${table.unit}` : ""}`;
  document.documentElement.dataset.revision = revision;
  show_knobs(table.knobs, table.scope);
  const shown = await fill_main();
  if (revision !== state.revision) return;
  fill_beside();
  const checked = state.tab === "checks" ? shown : await page.ask({ view: "findings" });
  if (!checked || revision !== state.revision) return;
  yaml.show(checked.findings ?? []);
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
  supersede();
  timer = setTimeout(() => offers && answered(), PAUSE);
}

function choose(tab) {
  state.tab = tab;
  for (const button of byId("tabs").children) {
    const own = button.dataset.tab === tab;
    button.setAttribute("aria-selected", String(own));
    button.tabIndex = own ? 0 : -1;
    if (own) byId("panel").setAttribute("aria-labelledby", button.id);
  }
  byId("answers").dataset.tab = tab;
  byId("sweep-knobs").hidden = tab !== "sweep";
  for (const place of Object.values(panes)) place.replaceChildren();
  alone();
  fill_main();
  fill_beside();
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
  if (typeof text !== "string") return;
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
byId("stop").addEventListener("click", stop);
byId("share").addEventListener("click", async (event) => copied(await keep(), event.target));
wide.addEventListener("change", () => { alone(); fill_beside(); });
window.addEventListener("hashchange", async () => {
  const link = await unpacked(location.hash).catch(() => null);
  if (!link) return;
  Object.assign(state, { given: link.given, scope: link.scope, convention: link.convention, before: link.before ?? link.text });
  yaml.replace(link.text);
  changed();
});

offers = await ask({ view: "start" });
show_knobs = settings(byId("knobs"), byId("sweep-knobs"), offers, state, changed);
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
if ("serviceWorker" in navigator) navigator.serviceWorker.register("offline.js").catch(() => {});
