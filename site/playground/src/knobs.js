// The settings: width and resolution as sliders, further knobs, the scope and the convention.
import { h } from "./dom.js";

const SLIDERS = { alpha: [0.1, 2, 0.05], res: [32, 512, 32] };
const ORDER = Object.keys(SLIDERS);

export function settings(form, offers, state, changed) {
  let shape = "";

  const set = (knob, text) => {
    const value = text.trim();
    if (!value || value === knob.default) delete state.given[knob.name];
    else state.given[knob.name] = value;
    changed();
  };

  function field(knob) {
    const value = state.given[knob.name] ?? knob.value;
    const title = [knob.doc, knob.range].filter(Boolean).join("; ");
    if (knob.one_of.length || knob.kind === "flag") {
      const options = knob.one_of.length ? [...new Set([knob.default, ...knob.one_of])] : ["true", "false"];
      return h("select", { "data-knob": knob.name, title, onchange: (event) => set(knob, event.target.value) },
        options.map((option) => h("option", { value: option, selected: option === value }, option)));
    }
    return h("input", { type: "text", "data-knob": knob.name, title, value, autocomplete: "off", spellcheck: "false", oninput: (event) => { set(knob, event.target.value); follow(knob.name, event.target); } });
  }

  function follow(name, source) {
    for (const other of form.querySelectorAll("[data-knob]"))
      if (other !== source && other.dataset.knob === name) other.value = source.value;
  }

  function slider(knob) {
    const [min, max, step] = SLIDERS[knob.name];
    const range = h("input", { type: "range", min, max, step, "data-knob": knob.name, "aria-label": `${knob.name}, ${knob.doc || "resolution"}`, value: state.given[knob.name] ?? knob.value,
      oninput: (event) => { set(knob, event.target.value); follow(knob.name, event.target); } });
    return h("label", {}, h("span", {}, knob.name), range, field(knob));
  }

  const option = (value, said, own) => h("option", { value, selected: own === value }, said);
  const select = (label, key, options) =>
    h("label", {}, label, h("select", { id: key, onchange: (event) => { state[key] = event.target.value || null; changed(); } }, options));

  /** Show the knobs of a network; what is being typed in stays as it is. */
  return (knobs, own) => {
    const now = JSON.stringify([knobs.map((knob) => [knob.name, knob.default, knob.kind]), own]);
    if (now !== shape) {
      shape = now;
      const slid = knobs.filter((knob) => ORDER.includes(knob.name) && knob.kind !== "flag");
      slid.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
      const more = knobs.filter((knob) => !slid.includes(knob));
      const open = form.querySelector("details")?.open;
      form.replaceChildren(
        ...slid.map(slider),
        select("scope", "scope", [option("", `${own} (its own)`, state.scope ?? ""), ...offers.scopes.map((scope) => option(scope, scope, state.scope))]),
        select("convention", "convention", offers.conventions.map((name) => option(name, name, state.convention))),
        more.length ? h("details", { open }, h("summary", {}, `${more.length} more ${more.length > 1 ? "knobs" : "knob"}`),
          h("div", { class: "more-knobs" }, more.map((knob) => h("label", { title: knob.doc }, knob.name, field(knob))))) : "");
    }
    for (const input of form.querySelectorAll("[data-knob]"))
      if (input !== document.activeElement) input.value = state.given[input.dataset.knob] ?? knobs.find((knob) => knob.name === input.dataset.knob).value;
  };
}
