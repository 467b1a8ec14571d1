// Shows a sign-up form where this script stands; docs/forms.md tells how it is used.
(function (script) {
  var url = script.src.replace(/\.js(\?.*)?$/, ""), form = document.createElement("form"), fields = {}, known, again;
  var words = {
    es: { email: "Correo electrónico", send: "Enviar", ok: "Te hemos escrito. Abre el correo y confirma tu dirección.", done: "Gracias.", wrong: "Revisa los campos marcados.", failed: "No se ha podido enviar. Inténtalo de nuevo." },
    en: { email: "E-mail", send: "Send", ok: "We have written to you. Open the e-mail and confirm your address.", done: "Thank you.", wrong: "Please check the marked fields.", failed: "It could not be sent. Please try again." }
  }, says = document.createElement("p"), say;
  form.className = "cadencia-form";
  says.setAttribute("role", "status");
  script.parentNode.insertBefore(form, script.nextSibling);

  function make(tag, values) { return Object.assign(document.createElement(tag), values); }

  function add(label, input, name) {
    var row = make("p"), id = input.id = "cadencia-" + name;
    fields[name] = input;
    input.name = name;
    row.append(make("label", { htmlFor: id, textContent: label }), " ", input);
    form.append(row);
  }

  function build(it) {
    known = it;
    say = words[it.language];
    form.append(make("h2", { textContent: it.title }));
    add(say.email, make("input", { type: "email", required: true, autocomplete: "email" }), it.address);
    it.fields.forEach(function (each) {
      var input = make(each.options.length ? "select" : "input", { required: each.required });
      if (each.options.length) [""].concat(each.options).forEach(function (option) { input.append(new Option(option)); });
      else input.maxLength = each.max, input.autocomplete = each.autocomplete;
      add(each.label, input, each.name);
    });
    if (it.consent.text) add(it.consent.text, make("input", { type: "checkbox", value: "1", required: true }), it.consent.name);
    var trap = make("input", { name: "website", tabIndex: -1, autocomplete: "off", ariaHidden: "true" });
    trap.style.cssText = "position:absolute;left:-9999px";
    form.append(trap, make("button", { textContent: say.send }), says);
    form.addEventListener("submit", send);
  }

  function describe(then) {
    fetch(url + "?lang=" + (document.documentElement.lang.slice(0, 2) || ""), { headers: { Accept: "application/json" }, credentials: "omit" })
      .then(function (answer) { if (answer.ok) return answer.json().then(then); });
  }

  function send(event) {
    if (event) event.preventDefault();
    var values = Object.assign({}, known.hidden, { lang: known.language });
    new FormData(form).forEach(function (value, name) { values[name] = value; });
    new URLSearchParams(location.search).forEach(function (value, name) {
      if (/^utm_(source|medium|campaign|term|content)$/.test(name)) values[name] = value.slice(0, 100);
    });
    fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values), credentials: "omit" })
      .then(function (answer) { return answer.json().then(function (it) { shown(answer.status, it); }); })
      .catch(function () { says.textContent = say.failed; });
  }

  function shown(status, it) {
    Object.keys(fields).forEach(function (name) { fields[name].removeAttribute("aria-invalid"); });
    (it.errors || []).forEach(function (fault) { if (fields[fault.field]) fields[fault.field].setAttribute("aria-invalid", "true"); });
    if (status == 422 && it.errors.length == 1 && it.errors[0].field == "stamp" && !again) {
      again = true; // shown yesterday, or sent at once: a new stamp, old enough
      describe(function (fresh) { known.hidden = fresh.hidden; setTimeout(send, 2100); });
    } else if (status == 422) says.textContent = say.wrong;
    else if (status != 200) says.textContent = say.failed;
    else if (it.redirect) location.assign(it.redirect);
    else {
      says.textContent = it.status == "confirm" ? say.ok : it.message || say.done;
      form.replaceChildren(says);
    }
  }

  describe(build);
})(document.currentScript);
