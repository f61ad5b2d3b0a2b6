// The settings: width and resolution as sliders, further knobs, the scope and the convention. The
// sliders stand above the tabs, in reach of all of them, and where Sweep is shown large inside it.
import { h } from "./dom.js";

/** From where to where a slider goes, in which steps, and the usual values, which have ticks. */
export const SLIDERS = {
  alpha: { span: [0.1, 2, 0.05], usual: ["0.25", "0.5", "0.75", "1", "1.4"] },
  res: { span: [32, 512, 32], usual: ["96", "128", "160", "192", "224"] },
};
const ORDER = Object.keys(SLIDERS);

export function settings(form, sweep, offers, state, changed) {
  let shape = "";
  const inputs = () => [form, sweep].flatMap((place) => [...place.querySelectorAll("[data-knob]")]);

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
    for (const other of inputs()) if (other !== source && other.dataset.knob === name) other.value = source.value;
  }

  const said = (knob) => `${knob.name}, ${knob.doc || (knob.name === "res" ? "resolution" : "width")}`;

  function range(knob, list) {
    const [min, max, step] = SLIDERS[knob.name].span;
    return h("input", { type: "range", min, max, step, list, "data-knob": knob.name, "aria-label": said(knob), value: state.given[knob.name] ?? knob.value,
      oninput: (event) => { set(knob, event.target.value); follow(knob.name, event.target); } });
  }

  const slider = (knob) => h("label", {}, h("span", {}, knob.name), range(knob), field(knob));

  function large(knob) {
    const own = SLIDERS[knob.name].usual;
    const turn = (value) => { set(knob, value); follow(knob.name, { value }); };
    return h("div", {}, h("label", {}, h("span", {}, said(knob)), range(knob, `usual-${knob.name}`)),
      h("datalist", { id: `usual-${knob.name}` }, own.map((value) => h("option", { value }))),
      h("div", { class: "usual" }, own.map((value) => h("button", { type: "button", "aria-label": `${knob.name} ${value}`, onclick: () => turn(value) }, value))));
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
      sweep.replaceChildren(...slid.map(large));
      form.replaceChildren(
        ...slid.map(slider),
        select("scope", "scope", [option("", `${own} (its own)`, state.scope ?? ""), ...offers.scopes.map((scope) => option(scope, scope, state.scope))]),
        select("convention", "convention", offers.conventions.map((name) => option(name, name, state.convention))),
        more.length ? h("details", { open }, h("summary", {}, `${more.length} more ${more.length > 1 ? "knobs" : "knob"}`),
          h("div", { class: "more-knobs" }, more.map((knob) => h("label", { title: knob.doc }, knob.name, field(knob))))) : "");
    }
    for (const input of inputs())
      if (input !== document.activeElement) input.value = state.given[input.dataset.knob] ?? knobs.find((knob) => knob.name === input.dataset.knob).value;
  };
}
