// Reports `converted` with the e-mail that led here; docs/tracking.md tells how it is used.
(function (script) {
  var api = new URL("/api/v1/events/track", script.src).href, page = new URL(location), busy, kept;
  try { kept = sessionStorage; kept.cadencia; } catch (e) { kept = {}; }

  var id = page.searchParams.get("cadencia");
  if (id) {
    if (/^email_[0-9a-f]{32}$/.test(id) && kept.cadencia != id) { kept.cadencia = id; kept.cadenciaTold = ""; }
    page.search = page.search.replace(/([?&])cadencia=[^&]*&?/, "$1").replace(/[?&]$/, "");
    history.replaceState(history.state, "", page);
  }

  function converted() {
    var email = kept.cadencia;
    if (!email || busy || kept.cadenciaTold == email) return;
    busy = 1;
    tell(email, JSON.stringify({ email_id: email, event_type: "converted", timestamp: new Date().toISOString() }), 1);
  }

  function tell(email, body, wait) {
    function again() { wait < 9 ? setTimeout(tell, wait * 1e3, email, body, wait * 2) : busy = 0; }
    fetch(api, { method: "POST", body: body, keepalive: true, credentials: "omit" }).then(function (answer) {
      if (answer.status > 428) return again();
      kept.cadenciaTold = email;
      busy = 0;
    }, again);
  }

  window.cadencia = { converted: converted };
  if (script.dataset.on == "load") converted();
  if (script.dataset.on == "submit") addEventListener("submit", converted);
})(document.currentScript);
