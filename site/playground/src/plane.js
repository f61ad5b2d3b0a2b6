// Accuracy over cost: the published series of the network, other published networks, and where it stands.
import * as Plot from "@observablehq/plot";
import { counted, h } from "./dom.js";

const state = { domain: null };

export function plane(data, again, width) {
  const here = data.here.macs;
  const all = [...data.own, ...data.others];
  const whole = { x: [Math.min(here, ...all.map((p) => p.macs)) * 0.8, Math.max(here, ...all.map((p) => p.macs)) * 1.25], y: [Math.min(...all.map((p) => p.top1)) - 1, Math.max(...all.map((p) => p.top1)) + 1] };
  const domain = state.domain ?? whole;
  const box = h("figure", {});
  const zoom = (factor) => {
    const [low, high] = domain.x.map(Math.log);
    const middle = factor < 1 ? Math.log(here) : (low + high) / 2;
    const half = ((high - low) / 2) * factor;
    const inside = all.filter((p) => Math.abs(Math.log(p.macs) - middle) <= half).map((p) => p.top1);
    const y = inside.length ? [Math.min(...inside) - 1, Math.max(...inside) + 1] : domain.y;
    state.domain = factor ? { x: [Math.exp(middle - half), Math.exp(middle + half)], y } : null;
    draw();
  };
  const draw = () => again();
  const seen = (p) => p.macs >= domain.x[0] && p.macs <= domain.x[1] && p.top1 >= domain.y[0] && p.top1 <= domain.y[1];
  const own = data.own.filter(seen);
  const chart = Plot.plot({
    width: Math.max(280, Math.min(1100, width - 10)),
    height: 420, marginLeft: 46, grid: true, ariaLabel: "Top-1 accuracy over multiply-accumulates",
    x: { type: "log", domain: domain.x, label: "MACs, whole network →", tickFormat: "~s" },
    y: { domain: domain.y, label: "↑ top-1, %" },
    style: { background: "transparent", color: "var(--text)", fontSize: "12px" },
    marks: [
      Plot.dot(data.others.filter(seen), { x: "macs", y: "top1", r: 2.5, fill: "var(--dim)", fillOpacity: 0.45 }),
      Plot.dot(own, { x: "macs", y: "top1", r: 4.5, fill: "var(--accent)" }),
      Plot.ruleX([here], { stroke: "var(--error)", strokeWidth: 2 }),
      Plot.text([here], { x: (d) => d, frameAnchor: "top", dy: -8, text: () => data.name, fill: "var(--error)" }),
      Plot.tip([...own, ...data.others.filter(seen)], Plot.pointer({
        x: "macs", y: "top1", fill: "var(--raised)", stroke: "var(--line)",
        title: (p) => p.name ? `${p.name}\n${counted(p.macs)} MACs as printed\ntop-1 ${p.top1} %` : `${data.name}${p.alpha === null ? "" : `, alpha ${p.alpha}`}, ${p.res}\n${p.said} MACs\ntop-1 ${p.top1} %\n${p.source}`,
      })),
    ],
  });
  let from = null;
  chart.addEventListener("pointerdown", (event) => (from = [event.offsetX, event.offsetY]));
  chart.addEventListener("pointerup", (event) => {
    if (!from || Math.abs(event.offsetX - from[0]) < 12 || Math.abs(event.offsetY - from[1]) < 12) return (from = null);
    const scale = chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
    const span = (name, a, b) => [a, b].map((at) => chart_scale(chart, name).invert(at / scale)).sort((m, n) => m - n);
    state.domain = { x: span("x", from[0], event.offsetX), y: span("y", from[1], event.offsetY) };
    draw();
  });
  box.append(chart);
  return [
    h("div", { class: "tools" },
      h("button", { type: "button", onclick: () => zoom(0.5) }, "Zoom to the network"),
      h("button", { type: "button", onclick: () => zoom(2) }, "Zoom out"),
      h("button", { type: "button", onclick: () => zoom(0) }, "Show all"),
      h("span", { class: "dim" }, "Drag a rectangle to zoom.")),
    box,
    h("p", { class: "dim" },
      data.own.length
        ? `Blue: ${data.own.length} published settings of ${data.name} with computed MACs. `
        : `No series was published for ${data.name}. `,
      `Grey: ${data.others.length} published networks with the MACs that their sources print. The red line is the network as it stands, ${data.here.cost} MACs with its head.`),
  ];
}

const chart_scale = (chart, name) => chart.scale(name);
