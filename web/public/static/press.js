// Presses the button of a confirmation page once somebody is there; docs/forms.md tells when.
(function (form) {
  var pressed;
  function press(event) {
    if (pressed || !event.isTrusted || document.visibilityState != "visible") return;
    pressed = 1;
    form.elements.by.value = "page";
    form.submit();
  }
  ["pointermove", "touchstart", "keydown"].forEach(function (kind) { addEventListener(kind, press, { passive: true }); });
})(document.querySelector("form[data-press]"));
