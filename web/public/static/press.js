// Presses the button of a confirmation page once a person seems to be there; docs/forms.md tells when.
(function (form) {
  var seen = { since: 0, steps: 0, movedAt: 0, startedAt: 0, touches: 0, keys: 0 }, last, pressed;

  // The rule. A program that feigns input tells that it drives the browser, does not stay, or lets the pointer jump.
  function isPerson(seen, now) {
    var isPath = seen.steps >= 5 && seen.movedAt - seen.startedAt >= 100;
    return !navigator.webdriver && seen.since > 0 && now - seen.since >= 1000 && (isPath || seen.touches > 0 || seen.keys > 0);
  }

  function moved(event, now) {
    var far = last ? Math.hypot(event.clientX - last.x, event.clientY - last.y) : Infinity;
    if (far > 120 || now - seen.movedAt > 500) { seen.steps = 0; seen.startedAt = now; } // a jump, or another path
    else if (far > 0) seen.steps += 1;
    seen.movedAt = now;
    last = { x: event.clientX, y: event.clientY };
  }

  function look() {
    if (document.visibilityState != "visible") seen.since = 0;
    else if (!seen.since) { seen.since = Date.now(); setTimeout(look, 1000); }
    if (pressed || !isPerson(seen, Date.now())) return;
    pressed = 1;
    form.elements.by.value = "page";
    form.submit();
  }

  function on(kind, note) {
    addEventListener(kind, function (event) {
      if (!event.isTrusted) return;
      note(event, Date.now());
      look();
    }, { passive: true });
  }

  on("pointermove", function (event, now) { if (event.pointerType != "touch") moved(event, now); });
  on("touchend", function () { seen.touches += 1; });
  on("keydown", function () { seen.keys += 1; });
  form.addEventListener("submit", function () { pressed = 1; });
  document.addEventListener("visibilitychange", look);
  look();
})(document.querySelector("form[data-press]"));
