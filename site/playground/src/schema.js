// Completion and hover from mbprof's JSON schema. Where the cursor is follows from indentation and
// open brackets, so that a text that is not finished is understood as well.
let root = null;
export const loaded = fetch("spec.schema.json").then((answer) => answer.json()).then((schema) => (root = schema)).catch(() => null);

const KEY = /^(\s*(?:- +)*)(?:"([^"]*)"|'([^']*)'|([^\s:#,[\]{}"'][^:#,[\]{}]*?))\s*:(?=\s|$)/;

/** The place of an offset: keys and "-" from the top, what its mapping says, and whether a value is due. */
export function place(text, offset) {
  const before = text.slice(0, offset).split("\n");
  const last = before[before.length - 1];
  const open = [];
  for (let i = 0, quote = ""; i < last.length; i++) {
    const c = last[i];
    if (quote) quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "#" && (i === 0 || last[i - 1] === " ")) return null;
    else if (c === "{" || c === "[") open.push(i);
    else if (c === "}" || c === "]") open.pop();
  }
  const path = [];
  let rest = last;
  let said = {};
  let value = null;
  if (open.length) {
    const at = open[open.length - 1];
    const inside = last.slice(at + 1);
    const line = text.slice(offset - last.length).split("\n", 1)[0];
    if (last[at] === "{") {
      const close = line.indexOf("}", offset - (offset - last.length));
      said = pairs(line.slice(at + 1, close < 0 ? undefined : close));
      const part = inside.slice(inside.lastIndexOf(",") + 1);
      value = /^\s*([\w.-]+)\s*:\s/.exec(part)?.[1] ?? null;
    } else path.unshift("-");
    rest = last.slice(0, at);
    for (const outer of open.slice(0, -1).reverse()) {
      const between = last.slice(outer + 1, at);
      const key = /([\w.-]+)\s*:\s*$/.exec(between)?.[1];
      path.unshift(key ?? "-");
      rest = last.slice(0, outer);
    }
  } else {
    const key = KEY.exec(last);
    if (key) value = key[2] ?? key[3] ?? key[4];
  }
  let indent = rest.search(/[^\s-]|$/);
  const flow = open.length > 0;
  if (flow) {
    const key = KEY.exec(rest);
    if (key) path.unshift(key[2] ?? key[3] ?? key[4]);
  }
  const dash = /^(\s*)((?:- +)*)/.exec(rest);
  for (let i = 0; i < dash[2].length / 2 && dash[2]; i++) path.unshift("-");
  if (dash[2]) indent = dash[1].length;
  if (!flow) said = { ...siblings(text.split("\n"), before.length - 1, rest.search(/[^\s-]|$/)) };
  let level = dash[2] ? indent + 1 : indent;
  for (let n = before.length - 2; n >= 0 && level > 0; n--) {
    const line = before[n];
    if (!line.trim() || line.trim().startsWith("#")) continue;
    const own = line.search(/\S/);
    const item = /^(\s*)- +/.exec(line);
    const inner = item ? item[0].length : own;
    if (item && own < level && inner <= level && !(dash[2] && own === indent)) {
      const key = KEY.exec(line);
      if (key && inner < level) path.unshift(key[4] ?? key[2] ?? key[3]);
      path.unshift("-");
      level = own + 1;
      indent = own;
      continue;
    }
    const key = KEY.exec(line);
    if (key && own < level && (own < indent || path[0] === "-")) {
      path.unshift(key[4] ?? key[2] ?? key[3]);
      level = own;
      indent = own;
    }
  }
  return { path, said, value };
}

function pairs(text) {
  const found = {};
  for (const [, key, value] of text.matchAll(/([\w.-]+)\s*:\s*([^,{}[\]]*)/g)) found[key] = value.trim();
  return found;
}

function siblings(lines, at, column) {
  const found = {};
  for (const step of [-1, 1])
    for (let n = step < 0 ? at : at + 1; n >= 0 && n < lines.length; n += step) {
      const line = lines[n];
      if (!line.trim()) continue;
      const inner = line.search(/[^\s-]|$/);
      if (inner < column) break;
      const key = KEY.exec(line);
      if (key && inner === column) found[key[4] ?? key[2] ?? key[3]] ??= line.slice(key[0].length).trim();
      if (/^\s*- /.test(line) && inner === column && step < 0) break;
      if (step > 0 && /^\s*- /.test(lines[n + 1] ?? "")) break;
    }
  return found;
}

/** All schemas that one stands for, with what its ``op`` adds. */
function* meant(schema, said, depth = 0) {
  if (!schema || depth > 12) return;
  if (schema.$ref) yield* meant(root.definitions[schema.$ref.split("/").pop()], said, depth + 1);
  yield schema;
  for (const part of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) yield* meant(part, said, depth + 1);
  for (const part of schema.allOf ?? []) yield* meant(part, said, depth + 1);
  if (!schema.if) return;
  const op = schema.if.properties?.op;
  const holds = op && (op.const === said.op || (op.pattern && said.op && new RegExp(op.pattern).test(said.op)));
  if (!op || holds) yield* meant(schema.then, said, depth + 1);
  if (!holds) yield* meant(schema.else, said, depth + 1);
}

function inside(schemas, key) {
  const found = [];
  for (const schema of schemas)
    for (const part of meant(schema, {})) {
      if (key === "-") {
        if (part.items) found.push(...[part.items].flat());
      } else if (part.properties?.[key]) found.push(part.properties[key]);
      else if (part.additionalProperties && typeof part.additionalProperties === "object") found.push(part.additionalProperties);
    }
  return found;
}

function at(where) {
  return where.path.reduce(inside, [root]).flatMap((schema) => [...meant(schema, where.said)]);
}

/** The keys that may stand here, each with its meaning. */
export function keys(where) {
  if (!root) return [];
  const found = new Map();
  for (const schema of at(where))
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      const doc = value.description ?? found.get(key) ?? "";
      found.set(key, doc);
    }
  const named = at(where).find((schema) => schema.propertyNames?.enum);
  if (named) for (const key of found.keys()) if (!named.propertyNames.enum.includes(key)) found.delete(key);
  return [...found];
}

/** The values that a key may have, as far as they can be listed. */
export function values(where) {
  if (!root) return [];
  const found = new Set();
  for (const schema of inside(at(where), where.value).flatMap((schema) => [...meant(schema, where.said)])) {
    for (const value of schema.enum ?? []) found.add(String(value));
    if (schema.const !== undefined) found.add(String(schema.const));
    if (schema.type === "boolean") found.add("true").add("false");
  }
  return [...found];
}

/** What a key means. */
export const meaning = (where, key) => keys(where).find(([name]) => name === key)?.[1] ?? "";
