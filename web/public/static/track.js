// Reports `converted` with the e-mail that led here; docs/tracking.md tells how it is used.
(function (script) {
  var api = new URL("/api/v1/events/track", script.src).href, page = new URL(location), busy, kept;
  try { kept = sessionStorage; kept.cadencia; } catch (e) { kept = {}; }

  var id = page.searchParams.get("cadencia");
  if (id) {
    if (/^email_[0-9a-f]{32}$/.test(id)) kept.cadencia = id;
    page.search = page.search.replace(/([?&])cadencia=[^&]*&?/, "$1").replace(/[?&]$/, "");
    history.replaceState(history.state, "", page);
  }

  function converted() {
    var email = kept.cadencia;
    if (email && kept.cadenciaTold != email) {
      kept.cadenciaTold = email;
      kept.cadenciaSays = JSON.stringify({ email_id: email, event_type: "converted", timestamp: new Date().toISOString() });
    }
    if (!busy) tell(1);
  }

  // What was not taken yet is said again: four times by this page, and by the next one in this tab.
  function tell(wait) {
    var says = kept.cadenciaSays;
    busy = !!says;
    if (busy) fetch(api, { method: "POST", body: says, keepalive: true, credentials: "omit" }).then(function (answer) {
      if (answer.status > 428) return again();
      if (kept.cadenciaSays == says) kept.cadenciaSays = "";
      busy = 0;
    }, again);
    function again() { wait < 9 ? setTimeout(tell, wait * 1e3, wait * 2) : busy = 0; }
  }

  window.cadencia = { converted: converted };
  script.dataset.on == "load" ? converted() : tell(1);
  if (script.dataset.on == "submit") addEventListener("submit", converted);
})(document.currentScript);
