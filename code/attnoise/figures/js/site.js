// Where the built website keeps what figures load; elsewhere they show what is recorded.
const site = document.documentElement.dataset.content_root; // only the built website has one
export const canRun = site !== undefined;
export const asset = (path) => new URL(path, new URL(`${site}_static/`, location.href));
