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
// Press the button with `data-now` there: a frame then shows what the fields make.
function ask(form) {
  const into = document.getElementById(form.dataset.into);
  let timer = 0, latest = 0;
  document.addEventListener("input", (event) => {
    if (event.target.form !== form) return;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = ++latest;
      try {
        const body = new URLSearchParams(new FormData(form));
        const response = await fetch(form.dataset.ask, { method: "POST", body, headers: { "X-Fragment": "1" }, redirect: "error" });
        if (!response.ok || mine !== latest) return;
        into.innerHTML = await response.text();
        show(form, into);
      } catch { /* the next input asks again */ }
    }, 400);
  });
  show(form, into);
}

// A fresh frame adds nothing to the history, so "back" leaves the page.
function show(form, part) {
  const button = part.querySelector("[data-now]");
  const old = button && document.getElementById(button.formTarget);
  if (!old) return;
  const frame = old.cloneNode();
  frame.removeAttribute("src");
  old.replaceWith(frame);
  form.requestSubmit(button);
}

// Number the lines of a source, which is as high as all of them, and go to a line that a fault names.
function number(source) {
  const count = () => {
    source.rows = source.value.split("\n").length + 1;
    source.previousElementSibling.textContent = Array.from({ length: source.rows - 1 }, (_, at) => at + 1).join("\n");
  };
  source.addEventListener("input", count);
  count();
}
addEventListener("click", (event) => {
  const line = event.target.dataset.line, source = line && document.getElementById(event.target.hash.slice(1));
  if (!source) return;
  event.preventDefault();
  const before = source.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1);
  source.focus();
  source.setSelectionRange(before, (source.value + "\n").indexOf("\n", before));
  source.parentNode.scrollTo(0, (line - 4) * parseFloat(getComputedStyle(source).lineHeight));
});

// Ask before a page with changed fields is left otherwise than by its form.
function keep(form) {
  let changed = form.dataset.keep === "changed";
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", (event) => { if (!event.submitter?.formTarget) changed = false; });
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
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
  document.querySelectorAll("form[data-keep]").forEach(keep);
  document.querySelectorAll("textarea[data-lines]").forEach(number);
  document.querySelector(".is-invalid")?.focus();
});
