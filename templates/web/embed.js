// Draws the sign-up form where <mailer-signup> stands; where there is none, at the script itself. What stands in the
// element, a link to the hosted form, stays until there is a form to show.
//
// It is served without comments and spaces (mailer/templating/embed.py), in less than 5 KB. So: semicolons at the end
// of every statement, strings in double quotes, and backquotes for styles alone.
(() => {
  const name = "mailer-signup", script = document.currentScript, at = path => new URL(path, script.src);

  // Words only ever become text, never markup.
  const make = (tag, has, ...inside) => {
    const made = document.createElement(tag);
    for (const key in has) made.setAttribute(key, has[key]);
    made.append(...inside);
    return made;
  };
  const labelled = (label, field) => make("div", {}, make("label", { for: field.id }, label), field),
    group = (label, rows) => make("fieldset", {}, make("legend", {}, label), ...rows),
    row = (has, checked, ...inside) =>
      make("label", {}, Object.assign(make("input", has), { checked }), make("span", {}, ...inside));

  // Colours go by the page's: by its text, and by the scheme that it says it has. A browser without light-dark()
  // shows the button as an outline. Sizes and places as on our own pages (look.md §2, §7).
  const look = told => `
    :host {
      display: block;
      --a: var(--mailer-accent, light-dark(${told.accent}, ${told.accent_dark}));
      --e: var(--mailer-error, light-dark(#b3261e, #ff9a90));
    }
    * { box-sizing: border-box; margin: 0; padding: 0; min-width: 0; }
    :host > div {
      max-width: 30em; padding: 24px; border: 1px solid var(--mailer-border, #8885);
      border-radius: var(--mailer-radius, 10px); color: var(--mailer-text, inherit);
      background: var(--mailer-background, none); font-family: var(--mailer-font, inherit);
      font-size: max(1em, 16px); line-height: 1.5; text-align: start; overflow-wrap: anywhere;
    }
    h2 { font-family: var(--mailer-heading-font, inherit); font-size: 1.25em; }
    p, form > * { margin-top: 16px; }
    fieldset { border: 0; }
    form p { margin: 0; color: var(--e); }
    :has(> p[id]) { border-inline-start: 4px solid var(--e); padding-inline-start: 12px; }
    button, select, #email {
      width: 100%; min-height: 48px; padding: 0 12px; margin-top: 4px; font: inherit; color: inherit;
      background: none; border: 1px solid #7d868e; border-radius: 6px;
    }
    legend, div > label, button, form p { font-weight: 600; }
    button { background: var(--a); border-color: var(--a); color: var(--mailer-on-accent, light-dark(#fff, #16191c));
      cursor: pointer; }
    p > button { background: none; color: var(--a); }
    fieldset label { display: flex; gap: 12px; padding: 10px 0; }
    fieldset input { flex: none; width: 20px; height: 20px; margin: 2px; accent-color: var(--a); }
    small { display: block; font-size: 15px; opacity: .8; }
    summary { padding: 10px 0; }
    a, summary { color: var(--a); }
    :focus-visible { outline: 3px solid; outline-offset: 2px; }
    button:focus-visible { outline-color: var(--mailer-text, var(--a)); }
  `;

  const draw = (host, told) => {
    const { choices, topics, privacy_url } = told, button = make("button", {}, told.button),
      email = make("input", { id: "email", name: "email", type: "email", autocomplete: "email", dir: "ltr" }),
      paces = choices.length > 5
        ? [make("select", { id: "pace", name: "cadence" }, ...choices.map(one =>
            new Option(one.label + ": " + one.sentence, one.name, one.checked, one.checked)))]
        : choices.map(one =>
            row({ type: "radio", name: "cadence", value: one.name }, one.checked, one.label, make("small", {}, one.sentence)));
    const form = make("form", { novalidate: "" },
      make("input", { name: "website", hidden: "" }),
      labelled(told.email_label, email),
      paces[0].id ? labelled(told.question, paces[0]) : group(told.question, paces),
      topics.length ? make("details", {}, make("summary", {}, told.topics_label),
        group(told.topics_hint, topics.map(one => row({ type: "checkbox", name: "topics", value: one.id }, 0, one.name)))) : "",
      make("div", {}, button)),
      whole = [make("h2", {}, told.heading), make("p", {}, told.what), form,
        make("p", {}, make("small", {}, told.privacy), privacy_url ? make("a", { href: privacy_url }, told.privacy_label) : "")],
      box = make("div", { lang: told.language, dir: told.direction }, ...whole);

    // What is wrong, by field; from the last to the first, which keeps the focus.
    const tell = errors => Object.entries({ form: button, cadence: paces[0], email }).forEach(([key, field]) => {
      const input = field.control || field;
      field.parentNode.querySelector("p")?.remove();
      input.ariaInvalid = null;
      if (errors[key]) {
        field.before(make("p", { id: key + 1 }, errors[key]));
        input.ariaInvalid = true;
        input.setAttribute("aria-describedby", key + 1);
        input.focus();
      }
    });

    form.onsubmit = async event => {
      event.preventDefault();
      if (form.ariaBusy) return;
      form.ariaBusy = true;
      button.textContent = told.sending;
      const sent = new FormData(form);
      let said = {};
      try {
        said = await (await fetch(at("api/subscribe"), {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({
            ...Object.fromEntries(sent), topics: sent.getAll("topics"), language: told.language,
            form_time: told.form_time, source: location.origin + location.pathname,
          }),
        })).json();
      } catch {}
      form.ariaBusy = null;
      button.textContent = told.button;
      told.form_time = said.form_time || told.form_time;
      tell(said.heading ? {} : { form: said.errors ? said.errors.topics : told.mistakes.server, ...said.errors });
      if (said.heading) {
        const again = make("button", {}, said.again),
          status = make("div", { role: "status", tabindex: -1 }, make("h2", {}, said.heading),
            ...said.paragraphs.map(one => make("p", {}, one)));
        again.onclick = () => {
          box.replaceChildren(...whole);
          email.focus();
        };
        box.replaceChildren(status, make("p", {}, again));
        status.focus();
      }
    };

    const sheet = new CSSStyleSheet(), root = host.attachShadow({ mode: "open" });
    sheet.replaceSync(look(told));
    root.adoptedStyleSheets = [sheet];
    root.append(box);
  };

  customElements.get(name) || customElements.define(name, class extends HTMLElement {
    connectedCallback() {
      this.asked ||= fetch(at("api/form?" + new URLSearchParams({
        lang: this.closest("[lang]")?.lang || "", ...script.dataset, ...this.dataset,
      }))).then(answer => answer.json()).then(told => draw(this, told)).catch(() => {});
    }
  });

  if (!document.querySelector(name) && script.closest("body"))
    script.before(make(name, {}, make("a", { href: at("subscribe") }, "Subscribe")));
})();
