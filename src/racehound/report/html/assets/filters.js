// What a timeline shows: by outcome, session, kind and text.

class Filters {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.outcomes = new Set(model.outcomes.keys());
    this.sessions = new Set(model.raw.sessions.keys());
    this.kinds = new Set(Array.from({ length: model.size }, (_, number) => model.get(number, "kind")));
    this.text = "";
    this.status = el("span", { class: "quiet", role: "status" });
    this.element = el("div", { class: "row tools", role: "group", "aria-label": "Filters" },
      model.outcomes.map((outcome, at) => this.chip(outcome, at)),
      this.menu("Sessions", model.raw.sessions.map((name, at) => [at, name]), this.sessions),
      this.menu("Kinds", [...this.kinds].map((text) => [text, model.texts[text]]), this.kinds),
      el("input", { type: "search", placeholder: "Text in statement or error", "aria-label": "Text in statement or error",
        oninput: (event) => { this.text = event.target.value.toLowerCase(); this.apply(); } }),
      this.status);
    this.showCount();
  }

  chip(outcome, at) {
    const size = this.model.outcome.reduce((sum, each) => sum + (each === at), 0);
    if (!size) return null;
    return el("button", { type: "button", class: "button chip", "aria-pressed": "true", "data-outcome": outcome, onclick: (event) => {
      this.toggle(this.outcomes, at);
      event.currentTarget.setAttribute("aria-pressed", String(this.outcomes.has(at)));
      this.apply();
    } }, swatch(outcome), `${outcome} ${grouped.format(size)}`);
  }

  menu(title, entries, chosen) {
    if (entries.length < 2) return null;
    const boxes = entries.map(([value, name]) => el("label", {}, el("input", { type: "checkbox", checked: true, "data-name": name,
      onchange: () => { this.toggle(chosen, value); label(); this.apply(); } }), name));
    const heading = el("summary", { class: "button" });
    const label = () => { heading.textContent = chosen.size === entries.length ? `${title}: all` : `${title}: ${chosen.size} of ${entries.length}`; };
    label();
    const menu = el("details", { class: "menu" }, heading, el("div", {}, boxes));
    menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; heading.focus(); } });
    menu.addEventListener("focusout", (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false; });
    return menu;
  }

  toggle(set, value) { if (!set.delete(value)) set.add(value); }

  apply() {
    const { model, text } = this;
    const matching = text ? new Set([...model.texts.keys()].filter((at) => model.texts[at].toLowerCase().includes(text))) : null;
    model.filter((number) =>
      this.outcomes.has(model.outcome[number]) && this.sessions.has(model.session[number]) && this.kinds.has(model.get(number, "kind")) &&
      (!matching || matching.has(model.get(number, "sql")) || matching.has(model.get(number, "answer")) || matching.has(model.get(number, "step"))));
    this.showCount();
    this.changed();
  }

  showCount() {
    const { shownCount, size } = this.model;
    this.status.textContent = shownCount === size ? count(size, "statement") : `${grouped.format(shownCount)} of ${count(size, "statement")}`;
  }
}
