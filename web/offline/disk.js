// Lets the site work from disk, where browsers refuse fetch() and modules: what pages would fetch
// lies beside it as scripts, and a module is imported from memory. tools/offline.py puts this script
// into every page of the zip, in front of all others, and the list of what there is in front of it.
(() => {
  "use strict";
  const TWINS = window.panDiskTwins; // the script that holds a file, by the file's path in the site
  const top = new URL("../../", document.currentScript.src);
  const kept = new Map();
  const waiting = new Map();
  const modules = new Map();

  const pathOf = (address) => decodeURIComponent(new URL(address, location.href).href.split(/[?#]/)[0].slice(top.href.length));
  const once = (map, key, make) => {
    if (!map.has(key)) {
      map.set(key, make());
      map.get(key).catch(() => map.delete(key));
    }
    return map.get(key);
  };
  const run = (source) =>
    new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: new URL(source, top), onload: resolve });
      script.onerror = () => reject(new TypeError(`${source} is missing from this copy of the book`));
      document.head.append(script);
    });
  const content = async (path) => {
    if (!kept.has(path)) await once(waiting, TWINS[path], () => run(TWINS[path]));
    return Uint8Array.from(atob(kept.get(path)), (letter) => letter.charCodeAt(0));
  };

  // A module's text with its imports led to other modules in memory.
  const inMemory = async (path) => {
    let text = new TextDecoder().decode(await content(path));
    for (const [whole, other] of text.matchAll(/"pan-disk:([^"]+)"/g)) {
      text = text.replaceAll(whole, JSON.stringify(await once(modules, other, () => inMemory(other))));
    }
    return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  };

  window.panDisk = {
    keep: (path, base64) => kept.set(path, base64),
    urlOf: (path) => new URL(path, top).href,
    load: async (address) => import(await once(modules, pathOf(address), () => inMemory(pathOf(address)))),
  };

  const fetched = window.fetch.bind(window);
  window.fetch = async (input, options) => {
    const path = pathOf(input.url ?? input);
    if (path in TWINS) {
      const bytes = await content(path);
      return new Response(bytes, { headers: { "content-length": bytes.length } });
    }
    if (location.protocol === "file:") throw new TypeError(`${path} is not part of this copy of the book`);
    return fetched(input, options);
  };
})();
