// Drives the built page in a browser without a screen: node drive.mjs BROWSER FOLDER WHAT...
// Each WHAT is a scenario below; one line of JSON is printed for each, with what was seen.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { packed } from "./src/link.js";

const [browserPath, folder, ...asked] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".json": "application/json", ".wasm": "application/wasm" };
const PATIENCE = 240_000;

// A plain host of files, as any is; in a folder of its own, so that addresses have to be relative.
let sent = [];
let headers = {};
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname)).replace(/^\/some\/where\//, "/");
  try {
    const body = await readFile(join(folder, path.endsWith("/") ? `${path}index.html` : path));
    sent.push(body);
    response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(path)] ?? (path.endsWith("/") ? "text/html" : "application/octet-stream") }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const address = `${origin}/some/where/`;

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });

async function opened({ width = 1280, height = 800, fragment = "", dark = false } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const seen = { foreign: [], errors: [], dialogs: 0 };
  page.on("request", (request) => { if (!request.url().startsWith(origin) && !/^(data|blob):/.test(request.url())) seen.foreign.push(request.url()); });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") seen.errors.push(message.text()); });
  page.on("dialog", (dialog) => { seen.dialogs += 1; dialog.dismiss(); });
  await page.goto(address + fragment);
  return { page, context, seen };
}

const total = (page) => page.textContent("#total");
const until = (page, text) => page.waitForFunction((said) => document.getElementById("total").textContent.includes(said), text);
const tab = async (page, name, inside) => { await page.click(`#tab-${name}`); await page.waitForSelector(`#panel ${inside}`); };

/** Put a text into the editor as a paste does. */
async function typed(page, text) {
  await page.click(".cm-content");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

/** A network that takes minutes, and one that is answered at once. */
const LONG = "name: long\ninput: {channels: 3, res: 32}\nbody:\n  columns: [op, k, c, n]\n  rows:\n    - [conv, 3, 16, 90000]\n";
const ready = (page) => page.waitForFunction(() => /ready$/.test(document.getElementById("status").textContent));
const starts = (page) => page.evaluate(() => Number(document.documentElement.dataset.starts));

const SPEC = (op) => `name: small\ninput: {channels: 3, res: 32}\nbody:\n  - {op: ${op}, k: 3, s: 2, c: 16}\n  - {op: conv, k: 1, c: 32}\n`;

const SCENARIOS = {
  /** An error stands under its line; repaired, the network is answered. */
  async error() {
    const { page, seen } = await opened();
    await until(page, "567,716,352");
    await page.click("text=[conv, 3, 2, 32]");
    await page.keyboard.press("Home");
    for (let n = 0; n < 3; n++) await page.keyboard.press("ArrowRight");
    await page.keyboard.insertText("x");
    await page.waitForSelector("#problem:not([hidden])");
    await page.waitForSelector(".cm-lintRange-error");
    const said = await page.textContent("#problem");
    const marked = await page.textContent(".cm-line:has(.cm-lintRange-error)");
    await page.keyboard.press("Backspace");
    await page.waitForSelector("#problem", { state: "hidden" });
    return { said, marked, total: await total(page), ...seen };
  },
  /** The width and the resolution are turned. */
  async knobs() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    const turn = (name, value) => page.$eval(`input[type=range][data-knob=${name}]`, (input, to) => { input.value = to; input.dispatchEvent(new Event("input", { bubbles: true })); }, value);
    await turn("alpha", "0.75");
    await turn("res", "128");
    await until(page, "106,002,432");
    const link = await page.evaluate(() => new Promise((resolve) => setTimeout(() => resolve(location.hash), 3000)));
    const other = await opened({ fragment: link });
    await until(other.page, "106,002,432");
    return { total: await total(page), again: await total(other.page), title: await other.page.textContent("#title"), ...seen };
  },
  /** Every tab is filled. */
  async tabs() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    await page.waitForSelector(".cm-lint-marker");
    const found = {};
    const look = async (name, inside) => { await tab(page, name, inside); found[name] = await page.textContent("#panel"); };
    await look("layers", "tbody tr");
    await look("checks", ".finding");
    await look("formula", "pre");
    await look("sweep", "figure svg circle");
    await look("diff", ".notes");
    await tab(page, "copy", "textarea");
    found.copy = await page.inputValue("#panel textarea");
    await look("graph", ".drawing svg");
    const before = await page.locator(".drawing .box").count();
    await page.locator('[data-block="body/Conv2d_3"]').focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction((count) => document.querySelectorAll(".drawing .box").length === count - 1, before);
    await look("explain", "table");
    await page.fill("#number", "578.88M");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#found table");
    found.number = await page.textContent("#found");
    await page.focus("#tab-explain");
    await page.keyboard.press("ArrowRight");
    const roles = await page.$$eval("[role=tab]", (tabs) => tabs.map((each) => [each.textContent, each.getAttribute("aria-selected")]));
    return { found, folded: [before, before - 1], roles, ...seen };
  },
  /** The table folds and sorts. */
  async layers() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    await page.waitForSelector("tr.group");
    const rows = () => page.locator("#panel tbody tr").count();
    const before = await rows();
    await page.click("tr.group button >> nth=0");
    const folded = await rows();
    await page.click("thead button >> text=params");
    const first = await page.textContent("#panel tbody tr >> nth=0");
    return { before, folded, first, ...seen };
  },
  /** At the width of a small phone nothing is wider than the page. */
  async narrow() {
    const { page, seen } = await opened({ width: 360, height: 740 });
    await until(page, "3,185,088");
    const wide = {};
    for (const [name, inside] of [["layers", "table"], ["explain", "table"], ["checks", ".finding"], ["formula", "pre"], ["sweep", "svg"], ["diff", ".notes"], ["copy", "textarea"], ["graph", "svg"]]) {
      await tab(page, name, inside);
      wide[name] = await page.evaluate(() => document.documentElement.scrollWidth);
    }
    return { wide, ...seen };
  },
  /** Once it stands, the page needs no network. */
  async offline() {
    const { page, context, seen } = await opened();
    await until(page, "3,185,088");
    await page.click("#tab-graph");
    await page.waitForSelector(".drawing svg");
    await page.evaluate(() => navigator.serviceWorker.ready);
    await context.setOffline(true);
    await typed(page, SPEC("conv"));
    await until(page, "944");
    await page.click("#pick-network");
    await page.click('[data-name="mobilenet_v2"]');
    await until(page, "300,775,552");
    for (const [name, inside] of [["explain", "table"], ["sweep", "svg"], ["checks", ".finding"], ["formula", "pre"]]) await tab(page, name, inside);
    const before = await total(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await until(page, "300,775,552");
    return { total: before, reloaded: await total(page), isolated: await page.evaluate(() => crossOriginIsolated), ...seen };
  },
  /** A number that no published setting has is looked for at the usual ones. */
  async number() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    await tab(page, "explain", "table");
    await page.fill("#number", "14153119");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#found table");
    const said = await page.textContent("#found");
    await tab(page, "checks", ".finding");
    return { said, checks: await page.textContent("#panel"), ...seen };
  },
  /** A long computation is stopped by hand, and by the next key; Python is interrupted, or started afresh. */
  async stop() {
    const found = {};
    for (const [name, sends] of [["elsewhere", {}], ["isolated", ISOLATED]]) {
      headers = sends;
      const { page, context, seen } = await opened();
      await until(page, "3,185,088");
      await ready(page);
      await typed(page, LONG);
      await page.click("#stop");
      await page.waitForSelector("#problem:not([hidden])");
      const said = await page.textContent("#problem");
      const label = await page.textContent("#stop");
      await ready(page);
      const hidden = await page.isHidden("#stop");
      await typed(page, SPEC("conv"));
      await until(page, "944");
      const stopped = await starts(page);
      await ready(page);
      await typed(page, LONG);
      await page.waitForSelector("#stop:not([hidden])");
      await typed(page, SPEC("conv").replace("c: 32", "c: 48"));
      await until(page, "1,200");
      found[name] = { said, label, hidden, stopped, superseded: await starts(page), isolated: await page.evaluate(() => crossOriginIsolated), ...seen };
      await context.close();
    }
    headers = {};
    return { ...found, foreign: [], dialogs: 0 };
  },
  /** A row, its node and its lines are marked together, side by side where there is room. */
  async marks() {
    const look = (page) => page.evaluate(() => ({
      lines: [...document.querySelectorAll(".cm-spot")].map((line) => line.textContent.trim()),
      rows: [...document.querySelectorAll("tr.marked")].map((row) => row.dataset.layers),
      nodes: [...document.querySelectorAll(".box.marked")].map((node) => node.dataset.layers),
    }));
    const { page, seen } = await opened({ width: 2560, height: 1440 });
    await until(page, "3,185,088");
    const [row, box] = ["tr", ".box"].map((tag) => `${tag}[data-layers="Conv2d_2_pointwise"]`);
    await page.waitForSelector(box);
    await page.hover(row);
    const from_row = await look(page);
    await page.mouse.move(5, 5);
    const left = await look(page);
    await page.hover(box);
    const from_node = await look(page);
    await page.focus(row);
    await page.keyboard.press("ArrowDown");
    const walked = await look(page);
    const narrow = await opened();
    await until(narrow.page, "3,185,088");
    await tab(narrow.page, "graph", ".box");
    await narrow.page.locator('.box[data-layers="Conv2d_13_pointwise"]').click();
    await tab(narrow.page, "layers", "tr.marked");
    const visible = await narrow.page.evaluate(() => {
      const row = document.querySelector("tr.marked").getBoundingClientRect();
      const panel = document.getElementById("panel").getBoundingClientRect();
      return row.top >= panel.top && row.bottom <= panel.bottom;
    });
    const opened_later = await look(narrow.page);
    return { from_row, left, from_node, walked, opened_later, visible, ...seen, errors: [...seen.errors, ...narrow.seen.errors] };
  },
  /** Sweep has the sliders itself; those above follow them, and the table marks where the network stands. */
  async sweep() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    await tab(page, "sweep", "figure svg");
    const roles = await page.$$eval("#sweep-knobs input[type=range]", (all) => all.map((input) => input.getAttribute("aria-label")));
    await page.focus("#sweep-knobs input[data-knob=alpha]");
    for (let n = 0; n < 5; n++) await page.keyboard.press("ArrowLeft");
    await page.click('#sweep-knobs button[aria-label="res 128"]');
    await until(page, "106,002,432");
    await page.waitForFunction(() => document.querySelector("td.here")?.textContent === "106,002,432");
    const above = await page.$$eval("#knobs input[type=text][data-knob]", (all) => Object.fromEntries(all.map((input) => [input.dataset.knob, input.value])));
    return { roles, above, here: await page.textContent("td.here"), ...seen };
  },
  /** A block of the library is one click away, too. */
  async block() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    await page.click("#pick-block");
    await page.click('[data-name="inv_res"]');
    await until(page, "8,208");
    return { total: await total(page), ...seen };
  },
  /** A spec from a link is text: nothing in it runs, and what acts or hides is shown. */
  async hostile() {
    const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    const text = `name: evil\ndoc: '${evil}'\ninput: {res: 32}\nknobs:\n  w: {default: 8, doc: '${evil}'}\nbody:\n  - {op: conv, k: 3, c: w, name: '${evil}'}\n  - {op: conv, k: 1, c: 8, name: "javascript:alert(3)\u202e"}\n`;
    const { page, seen } = await opened({ fragment: `#${await packed({ text, before: text, given: { w: evil }, scope: evil, convention: evil })}` });
    await page.waitForSelector("#problem:not([hidden])");
    const refused = await page.textContent("#problem");
    const other = await opened({ fragment: `#${await packed({ text: text.replace("\u202e", ""), given: {} })}` });
    await until(other.page, "280 params");
    for (const [name, inside] of [["layers", "tbody tr"], ["graph", ".drawing .box"], ["checks", ".finding"], ["formula", "pre"], ["diff", ".notes"], ["copy", "textarea"]]) await tab(other.page, name, inside);
    await tab(other.page, "layers", "tbody tr");
    const shown = await other.page.textContent("#panel tbody");
    const made = await other.page.evaluate(() => document.querySelectorAll("img, main script").length);
    const inline = await other.page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      return Boolean(window.ran);
    });
    const away = await other.page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", (error) => error.name));
    return { refused, shown, made, inline, away, dialogs: seen.dialogs + other.seen.dialogs, foreign: seen.foreign };
  },
  /** Completion and hover come from the schema. */
  async schema() {
    const { page, seen } = await opened();
    await until(page, "3,185,088");
    const labels = async () => {
      await page.waitForSelector(".cm-tooltip-autocomplete");
      const found = await page.$$eval(".cm-completionLabel", (all) => all.map((label) => label.textContent));
      await page.keyboard.press("Escape");
      return found;
    };
    await typed(page, "name: a\ninput: {res: 32}\nbody:\n  - {op: ");
    await page.keyboard.type("dwco");
    const values = await labels();
    await typed(page, "name: a\ninput: {res: 32}\nbody:\n  - {op: dwconv, }");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Control+Space");
    const keys = await labels();
    await page.hover('.cm-line:has-text("input") span >> nth=0');
    await page.waitForSelector(".cm-tooltip-hover");
    const meaning = await page.textContent(".cm-tooltip-hover");
    return { values, keys, meaning, ...seen };
  },
  /** How long it takes to the first table, and from a key to the table; and how much is loaded. */
  async times() {
    sent = [];
    const began = performance.now();
    const { page, context } = await opened();
    await until(page, "3,185,088");
    const first = performance.now() - began;
    const loaded = [...sent];
    await page.waitForSelector(".cm-lint-marker");
    await page.click("#pick-network");
    await page.click('[data-name="mobilenet_v2"]');
    await until(page, "300,775,552");
    await page.waitForFunction(() => /ready/.test(document.getElementById("status").textContent));
    const keys = [];
    for (let n = 0; n < 7; n++) {
      await page.click(".cm-line >> nth=0");
      await page.keyboard.press("End");
      const revision = await page.evaluate(() => document.documentElement.dataset.revision);
      const since = performance.now();
      await page.keyboard.insertText("#");
      await page.waitForFunction((old) => document.documentElement.dataset.revision !== old, revision, { polling: 5 });
      keys.push(performance.now() - since);
      await page.waitForFunction(() => /ready/.test(document.getElementById("status").textContent));
    }
    await page.evaluate(() => navigator.serviceWorker.ready);
    const reloads = performance.now();
    const next = await context.newPage();
    next.setDefaultTimeout(PATIENCE);
    await next.goto(address);
    await until(next, "3,185,088");
    const again = performance.now() - reloads;
    await context.close();
    const [bytes, packed] = [loaded, loaded.map((body) => gzipSync(body))].map((all) => all.reduce((n, body) => n + body.length, 0));
    return { first, again, keys, bytes, packed };
  },
  /** Pictures of every tab, to be looked at: FOLDER in the environment's PICTURES. */
  async pictures() {
    for (const [width, height] of [[360, 740], [1280, 800], [2560, 1440]])
      for (const dark of [false, true]) {
        const { page, context } = await opened({ width, height, dark });
        await until(page, "3,185,088");
        for (const [name, inside] of [["layers", "table"], ["graph", "svg"], ["explain", "table"], ["checks", ".finding"], ["formula", "pre"], ["sweep", "svg"], ["diff", ".notes"], ["copy", "textarea"]]) {
          await tab(page, name, inside);
          await page.waitForTimeout(700);
          await page.screenshot({ path: join(process.env.PICTURES, `${width}-${dark ? "dark" : "light"}-${name}.png`), fullPage: width < 900 });
        }
        await page.click("#pick-network");
        await page.waitForTimeout(300);
        await page.screenshot({ path: join(process.env.PICTURES, `${width}-${dark ? "dark" : "light"}-picker.png`) });
        await context.close();
      }
    return {};
  },
};

let failed = 0;
for (const name of asked)
  try {
    console.log(JSON.stringify({ scenario: name, ...(await SCENARIOS[name]()) }));
  } catch (error) {
    failed = 1;
    console.log(JSON.stringify({ scenario: name, failed: String(error) }));
  }
await browser.close();
server.close();
process.exit(failed);
