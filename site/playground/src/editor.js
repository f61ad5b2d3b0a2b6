import { basicSetup, EditorView } from "codemirror";
import { yaml } from "@codemirror/lang-yaml";
import { autocompletion } from "@codemirror/autocomplete";
import { indentWithTab } from "@codemirror/commands";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, hoverTooltip, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { h } from "./dom.js";
import { keys, loaded, meaning, place, values } from "./schema.js";

const spots = StateEffect.define();
const spotted = StateField.define({
  create: () => Decoration.none,
  update(marks, change) {
    for (const effect of change.effects) if (effect.is(spots)) return effect.value;
    return marks.map(change.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

const look = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--back)" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--dim)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--back)" },
  ".cm-tooltip-hover": { padding: "0", maxWidth: "32rem" },
  ".meaning": { padding: ".3rem .6rem" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap" },
});
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "light-dark(#1d6b3a, #8fd6a5)" },
]);

function complete(context) {
  const word = context.matchBefore(/[\w@.-]*/);
  if (!context.explicit && word.from === word.to) return null;
  const where = place(context.state.doc.toString(), word.from);
  if (!where) return null;
  const options = where.value
    ? values(where).map((label) => ({ label, type: "enum" }))
    : keys(where).filter(([key]) => !(key in where.said) || context.explicit).map(([label, info]) => ({ label, info, type: "property", apply: `${label}: ` }));
  return options.length ? { from: word.from, options, validFor: /^[\w@.-]*$/ } : null;
}

const hover = hoverTooltip((view, offset) => {
  const line = view.state.doc.lineAt(offset);
  const at = offset - line.from;
  const start = at - /[\w.-]*$/.exec(line.text.slice(0, at))[0].length;
  const key = /^([\w.-]+)\s*:/.exec(line.text.slice(start))?.[1];
  if (!key) return null;
  const where = place(view.state.doc.toString(), line.from + start);
  const text = where && meaning(where, key);
  if (!text) return null;
  return {
    pos: line.from + start, end: line.from + start + key.length, above: true,
    create: () => ({ dom: h("div", { class: "meaning" }, h("strong", {}, key), ` – ${text}`) }),
  };
});

/** From lines and columns of characters to offsets; a place is at least one character wide. */
function reach(doc, { line, column, end_line, end_column }) {
  const offset = (number, characters) => {
    const at = doc.line(Math.min(Math.max(number, 1), doc.lines));
    return at.from + Array.from(at.text).slice(0, characters - 1).join("").length;
  };
  const [from, to] = [offset(line, column), offset(end_line, end_column)];
  return from < to ? [from, to] : [Math.max(0, from - 1), from];
}

export function editor(parent, text, onChange) {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([indentWithTab]), basicSetup, yaml(), look, syntaxHighlighting(colours), lintGutter(), spotted, hover,
        autocompletion({ override: [complete] }),
        EditorState.tabSize.of(2),
        EditorView.contentAttributes.of({ "aria-label": "The network, as YAML. Escape, then Tab leaves the editor." }),
        EditorView.updateListener.of((change) => change.docChanged && onChange(change.state.doc.toString())),
      ],
    }),
  });
  loaded.then(() => view.dispatch({}));
  return {
    view,
    text: () => view.state.doc.toString(),
    replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: 0 }, scrollIntoView: true }),
    /** Show what was found under its line. */
    show(problems) {
      const found = problems.filter((p) => p.line).map((p) => {
        const [from, to] = reach(view.state.doc, p);
        const severity = { error: "error", undecided: "warning", warning: "warning" }[p.severity] ?? "info";
        const message = [`${p.code}: ${p.message}`, p.hint && `hint: ${p.hint}`].filter(Boolean).join("\n");
        return { from, to, severity, message };
      });
      found.sort((a, b) => a.from - b.from);
      view.dispatch(setDiagnostics(view.state, found));
    },
    /** Mark lines, none to take the marks away. */
    mark(lines) {
      const doc = view.state.doc;
      const own = [...new Set(lines)].filter((n) => n && n <= doc.lines).sort((a, b) => a - b);
      view.dispatch({ effects: spots.of(Decoration.set(own.map((n) => Decoration.line({ class: "cm-spot" }).range(doc.line(n).from)))) });
    },
    go(line) {
      if (!line || line > view.state.doc.lines) return;
      view.dispatch({ selection: { anchor: view.state.doc.line(line).from }, effects: EditorView.scrollIntoView(view.state.doc.line(line).from, { y: "center" }) });
      view.focus();
    },
  };
}
