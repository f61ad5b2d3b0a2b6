// A network in the fragment of a link: JSON, deflated, in URL-safe base64.
const MOST = 1 << 20;

async function through(stream, bytes) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST) {
      await reader.cancel();
      throw new Error("the link holds too much");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export async function packed(state) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(state)));
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `n=${btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

const words = (value) => (typeof value === "string" ? value.slice(0, MOST) : undefined);

/** What a fragment holds, nothing if it holds no network; only strings come out of it. */
export async function unpacked(fragment) {
  const found = /^#?n=([\w-]+)$/.exec(fragment);
  if (!found) return null;
  const text = atob(found[1].replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = await through(new DecompressionStream("deflate-raw"), Uint8Array.from(text, (c) => c.charCodeAt(0)));
  const data = JSON.parse(new TextDecoder().decode(bytes));
  if (data === null || typeof data !== "object" || words(data.text) === undefined) return null;
  const given = {};
  for (const [name, value] of Object.entries(data.given || {})) if (words(value) !== undefined) given[name] = words(value);
  return { text: words(data.text), before: words(data.before), given, scope: words(data.scope) || null, convention: words(data.convention) || "kernels" };
}
