// Between the page and its host: keeps the built files, so that the page opens and Python starts
// again without a network, and isolates the page from other origins, as not every host says that
// it is, so that what Python computes can be interrupted. The host is asked first: what is kept is
// never older than what there is.
/* global FILES, VERSION */
const KEPT = `mbprof-playground-${VERSION}`;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("mbprof-playground-") && name !== KEPT;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});

function isolated(response) {
  if (response.status !== 200) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function answered(request) {
  try {
    return isolated(await fetch(request));
  } catch (error) {
    const kept = await caches.match(request, { ignoreSearch: true, cacheName: KEPT });
    if (!kept) throw error;
    return isolated(kept);
  }
}

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(self.registration.scope)) event.respondWith(answered(event.request));
});
