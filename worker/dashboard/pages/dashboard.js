"use strict";
// Follows what goes on: each event holds the parts of the page that have changed, drawn by the server.
(() => {
  const heard = document.getElementById("heard");
  const silent = document.getElementById("silent");
  // Older than this nothing on the page is known to be true, ms; `vton status` holds it so too.
  const STALE = 15000;
  let last = Date.now();
  let kept = {};
  const time = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false });
  const show = () => {
    const old = Date.now() - last > STALE;
    document.body.classList.toggle("old", old);
    silent.hidden = !old;
    const words = `Nothing heard since ${time(last)}: what stands here may not be true any more.`;
    if (old && silent.textContent !== words) silent.textContent = words;
    if (!old) silent.textContent = "";
    for (const state of old ? document.querySelectorAll(".judged .state, .gate strong") : []) state.textContent = "unknown";
    heard.textContent = old ? "" : `heard ${time(last)}`;
  };
  const put = (parts) => {
    for (const [name, html] of Object.entries(parts)) {
      const part = document.getElementById(name);
      if (!part) continue;
      // Whoever stands on a link of it keeps standing there.
      const at = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      const drawn = new DOMParser().parseFromString(html, "text/html");
      part.replaceChildren(...drawn.body.childNodes);
      if (at) part.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus();
    }
  };
  let stream;
  const listen = () => {
    stream = new EventSource(document.body.dataset.events);
    stream.onmessage = (event) => {
      const parts = JSON.parse(event.data);
      kept = { ...kept, ...parts };
      // After silence every part is drawn anew: some of it was said to be unknown.
      put(Date.now() - last > STALE ? kept : parts);
      last = Date.now();
      show();
    };
  };
  listen();
  setInterval(() => {
    show();
    // A browser gives up where a server answered with anything but a stream.
    if (stream.readyState === EventSource.CLOSED) { stream.close(); listen(); }
  }, 1000);
  show();
})();
