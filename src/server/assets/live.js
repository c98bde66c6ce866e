// Draws the parts of a page anew when the server says that something changed. Pages work without it.
(() => {
  "use strict";
  const parts = ["bar", "summary", "matrix", "title", "siblings", "notes", "facts", "objects"];
  let busy = false;
  let again = false;

  async function redraw() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The server is away; the next event or minute tries again.
    }
    busy = false;
    if (again) {
      again = false;
      redraw();
    }
  }

  function replace(fresh) {
    const open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
    const scrolled = [...document.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    for (const id of parts) {
      const old = document.getElementById(id);
      const now = fresh.getElementById(id);
      // What a person is in the middle of stays as it is.
      if (old && now && old.innerHTML !== now.innerHTML && !old.contains(document.activeElement)) old.replaceWith(now);
    }
    const banner = document.getElementById("unready");
    if (banner && !fresh.getElementById("unready")) banner.remove();
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    document.querySelectorAll(".scroll").forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
  }

  const events = new EventSource("/api/v1/events");
  events.addEventListener("board", redraw);
  // What changed between this page and the connection, or while the server was away, rang no bell.
  events.addEventListener("open", redraw);
  setInterval(() => document.hidden || redraw(), 60000);
  document.addEventListener("visibilitychange", () => document.hidden || redraw());
})();
