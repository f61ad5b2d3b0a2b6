// Rows of the table, nodes of the graph and lines of the spec that belong together are marked
// together: for as long as the pointer or the focus is on one, and one that was chosen lastingly.

/** ``places`` hold elements with a layer, or several in a line each, as ``data-layers``. */
export function marks(places, mark_lines) {
  let chosen = { lines: [], layers: [] };
  const elements = (place) => [...place.querySelectorAll("[data-layers]")];
  const layers_of = (element) => element.dataset.layers.split("\n");

  function mark({ lines, layers }, place = null) {
    if (!place) mark_lines(lines);
    const names = new Set(layers);
    for (const element of (place ? [place] : places).flatMap(elements)) {
      const own = layers_of(element).some((name) => names.has(name));
      element.classList.toggle("marked", own);
    }
  }

  /** Bring the first that is marked into view, in other places than the one that it was chosen in. */
  function reveal(place) {
    place.querySelector("[data-layers].marked")?.scrollIntoView({ block: "center", inline: "center" });
  }

  /** What an element says of itself: attributes that mark it while it is pointed at, and choose it. */
  return {
    marked(lines, layers, go) {
      const own = { lines: lines.filter(Boolean), layers };
      const choose = (event) => {
        chosen = own;
        mark(own);
        for (const place of places) if (!place.contains(event.currentTarget)) reveal(place);
      };
      return {
        "data-layers": layers.join("\n"),
        onmouseenter: () => mark(own), onmouseleave: () => mark(chosen),
        onfocus: choose, onmousedown: choose, ondblclick: () => go(own.lines.at(-1)),
      };
    },
    /** A place was drawn anew. */
    again(place, opened) {
      mark(chosen, place);
      if (opened) reveal(place);
    },
  };
}

/** Let arrows walk the elements of a container that are its stops, of which Tab reaches one. */
export function walked(container, selector) {
  const stops = () => [...container.querySelectorAll(selector)];
  const first = stops()[0];
  if (first) first.setAttribute("tabindex", "0");
  container.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = stops();
    const at = all.indexOf(event.target);
    const next = step && at >= 0 ? all[at + step] : undefined;
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
  return container;
}
