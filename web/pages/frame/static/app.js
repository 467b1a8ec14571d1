// The only script of the pages: colours by the system's setting, and parts of a page that are fetched again.
"use strict";
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => { if (root.dataset.theme === "auto") root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
paint();
dark.addEventListener("change", paint);

// Fetch the part while the tab is visible: each 3 s, and more slowly while nothing changes, at most each 30 s.
function follow(part) {
  const first = 3000;
  let wait = first, etag = "";
  async function look() {
    if (!document.hidden) {
      try {
        const headers = { "X-Fragment": "1" };
        if (etag) headers["If-None-Match"] = etag;
        const response = await fetch(part.dataset.follow, { headers, redirect: "error", cache: "no-store" });
        if (response.status === 401) { location.reload(); return; }
        if (response.status === 200) {
          etag = response.headers.get("ETag") || "";
          const text = await response.text();
          if (part.innerHTML !== text) part.innerHTML = text;
          wait = first;
        } else {
          wait = Math.min(wait * 1.5, 30000);
        }
      } catch { wait = Math.min(wait * 2, 30000); }
    }
    setTimeout(look, wait);
  }
  document.addEventListener("visibilitychange", () => { wait = first; });
  setTimeout(look, wait);
}

// Send the fields of a form, 400 ms after the last input, and show the answer in the element with the id `data-into`.
function ask(form) {
  const into = document.getElementById(form.dataset.into);
  let timer = 0, latest = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++latest;
      try {
        const body = new URLSearchParams(new FormData(form));
        const response = await fetch(form.dataset.ask, { method: "POST", body, headers: { "X-Fragment": "1" }, redirect: "error" });
        if (response.ok && mine === latest) into.innerHTML = await response.text();
      } catch { /* the next input asks again */ }
    }, 400);
  });
}

// A button with the id of a field in `data-copy` copies its text, and then says `data-done`.
addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  document.getElementById(button.dataset.copy).select();
  if (document.execCommand("copy")) button.textContent = button.dataset.done;  // also without https
});

addEventListener("DOMContentLoaded", () => {
  root.classList.add("with-script");
  document.querySelectorAll("[data-follow]").forEach(follow);
  document.querySelectorAll("form[data-ask]").forEach(ask);
});
