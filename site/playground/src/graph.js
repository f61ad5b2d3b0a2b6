// The graph: ELK lays it out beside the page, and it is drawn as SVG. Blocks fold.
import ELK from "elkjs/lib/elk-api.js";
import { counted, h, s } from "./dom.js";
import { walked } from "./marks.js";

const MANY = 60;
const state = { folded: null, name: null, zoom: 1 };
let elk = null;

const width = (lines) => Math.max(...lines.map((line, i) => line.length * (i ? 6.4 : 7.3))) + 18;
const short = (text) => (text.length > 42 ? `${text.slice(0, 24)}…${text.slice(-14)}` : text);

function lines(node, unit) {
  const said = [short(node.name), `${node.op}  ${node.output}`];
  if (node.numbers && (node.numbers.params || node.numbers.cost)) said.push(`${counted(node.numbers.params)} params${unit ? `, ${counted(node.numbers.cost)} ${unit}` : ""}`);
  return said;
}

/** Nodes and edges for ELK: blocks of several layers hold theirs, or stand for them where folded. */
function shaped(data) {
  const members = new Map();
  for (const node of data.nodes) members.set(node.block, [...(members.get(node.block) ?? []), node]);
  const blocks = [...members].filter(([name, inside]) => name && inside.length > 1).map(([name]) => name);
  if (state.folded === null) state.folded = new Set(data.nodes.length > MANY ? blocks : []);
  const shown = new Map();
  const children = [];
  const drawn = new Map();
  const box = (id, said, extra) => {
    const made = { id, width: width(said), height: 12 + 16 * said.length, said, ...extra };
    drawn.set(id, made);
    return made;
  };
  for (const [name, inside] of members) {
    if (!blocks.includes(name)) {
      for (const node of inside) { shown.set(node.id, node.id); children.push(box(node.id, lines(node, data.unit), { rows: [node.name], spots: node.lines })); }
    } else if (state.folded.has(name)) {
      const id = `b${name}`;
      const numbers = { params: 0, cost: 0 };
      for (const node of inside) { shown.set(node.id, id); numbers.params += node.numbers.params; numbers.cost += node.numbers.cost; }
      const whole = { name: name.replace(/^(body|head)\//, ""), op: `${inside[0].unit} ⊞`, output: inside[inside.length - 1].output, numbers };
      children.push(box(id, lines(whole, data.unit), { block: name, rows: inside.map((n) => n.name), spots: inside.map((n) => n.lines[0]) }));
    } else {
      const id = `b${name}`;
      const group = { id, block: name, said: [name.replace(/^(body|head)\//, "")], children: inside.map((node) => { shown.set(node.id, node.id); return box(node.id, lines(node, data.unit), { rows: [node.name], spots: node.lines }); }), layoutOptions: { "elk.padding": "[top=26,left=10,bottom=10,right=10]" } };
      drawn.set(id, group);
      children.push(group);
    }
  }
  const seen = new Set();
  const edges = [];
  for (const edge of data.edges) {
    const [from, to] = [shown.get(edge.from), shown.get(edge.to)];
    const key = `${from} ${to}`;
    if (from === to || seen.has(key)) continue;
    seen.add(key);
    edges.push({ id: `e${edges.length}`, sources: [from], targets: [to], shape: edge.shape });
  }
  return {
    blocks,
    root: {
      id: "root", children, edges,
      layoutOptions: {
        "elk.algorithm": "layered", "elk.direction": "DOWN", "elk.hierarchyHandling": "INCLUDE_CHILDREN",
        "elk.layered.spacing.nodeNodeBetweenLayers": "22", "elk.spacing.nodeNode": "18",
        "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF", "elk.json.shapeCoords": "ROOT", "elk.json.edgeCoords": "ROOT",
      },
    },
  };
}

export async function graph(data, { marked, go, again, fresh }) {
  if (state.name !== data.name) Object.assign(state, { name: data.name, folded: null });
  const { root, blocks } = shaped(data);
  elk ??= new ELK({ workerUrl: new URL("elk-worker.min.js", document.baseURI).href });
  const laid = await elk.layout(root);
  if (!fresh()) return null;
  const turn = (name) => { state.folded[state.folded.has(name) ? "delete" : "add"](name); again(name); };
  const foldable = (node) =>
    node.block && {
      role: "button", "data-block": node.block, "aria-expanded": String(!state.folded.has(node.block)),
      onclick: (event) => { event.stopPropagation(); turn(node.block); },
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); turn(node.block); } },
    };
  const drawn = (node) => {
    const rect = s("rect", { x: node.x, y: node.y, width: node.width, height: node.height, rx: 5 });
    if (node.children) {
      return [
        s("g", { class: "group", tabindex: "-1", "aria-label": `block ${node.said[0]}, unfolded`, ...foldable(node) }, rect, s("text", { x: node.x + 9, y: node.y + 17, class: "dim" }, `⊟ ${node.said[0]}`)),
        ...node.children.flatMap(drawn),
      ];
    }
    const text = node.said.map((line, i) => s("text", { x: node.x + 9, y: node.y + 18 + 16 * i, class: i && "dim" }, line));
    return [s("g", { class: `box ${node.block ? "foldable" : ""}`, tabindex: "-1", "aria-label": node.said.join(", "), role: "img", ...foldable(node), ...marked(node.spots ?? [], node.rows, go) }, rect, text)];
  };
  const edges = laid.edges.flatMap((edge) =>
    (edge.sections ?? []).map((section) => {
      const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
      return s("path", { class: "edge", "marker-end": "url(#head)", d: points.map((p, i) => `${i ? "L" : "M"}${p.x} ${p.y}`).join("") }, s("title", {}, edge.shape));
    }));
  const svg = s("svg", { viewBox: `0 0 ${laid.width} ${laid.height}`, role: "group", "aria-label": "The graph of the network" },
    s("defs", {}, s("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0L8 4L0 8z" }))),
    laid.children.filter((node) => node.children).flatMap(drawn), edges, laid.children.filter((node) => !node.children).flatMap(drawn));
  const sized = () => { svg.setAttribute("width", laid.width * state.zoom); svg.setAttribute("height", laid.height * state.zoom); };
  const zoomed = (factor) => { state.zoom = Math.min(4, Math.max(0.05, factor ? state.zoom * factor : 1)); sized(); };
  sized();
  const drawing = walked(h("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "Drawing, scrolls; arrows walk its nodes" }, svg), ".box, .group");
  const every = (closed) => { state.folded = new Set(closed ? blocks : []); again(); };
  return [
    h("div", { class: "tools" },
      blocks.length > 0 && h("button", { type: "button", onclick: () => every(true) }, "Fold all blocks"),
      blocks.length > 0 && h("button", { type: "button", onclick: () => every(false) }, "Unfold all"),
      h("button", { type: "button", "aria-label": "Larger", onclick: () => zoomed(1.25) }, "+"),
      h("button", { type: "button", "aria-label": "Smaller", onclick: () => zoomed(0.8) }, "−"),
      h("button", { type: "button", onclick: () => zoomed((drawing.clientWidth - 4) / laid.width / state.zoom) }, "Fit width"),
      h("span", { class: "dim" }, "A click on a block's frame folds it, one on a layer marks its row and line.")),
    drawing,
  ];
}
