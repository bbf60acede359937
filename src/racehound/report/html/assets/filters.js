// What a timeline shows: by drawer, session, kind and text.

class Filters {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.drawers = new Set(model.drawers.keys());
    this.sessions = new Set(model.raw.sessions.keys());
    this.kinds = new Set(Array.from({ length: model.size }, (_, number) => model.get(number, "kind")));
    this.text = "";
    this.told = el("span", { class: "quiet", role: "status" });
    this.element = el("div", { class: "row tools", role: "group", "aria-label": "Filters" },
      model.drawers.map((drawer, at) => this.chip(drawer, at)),
      this.menu("Sessions", model.raw.sessions.map((name, at) => [at, name]), this.sessions),
      this.menu("Kinds", [...this.kinds].map((text) => [text, model.texts[text]]), this.kinds),
      el("input", { type: "search", placeholder: "Text in statement or error", "aria-label": "Text in statement or error",
        oninput: (event) => { this.text = event.target.value.toLowerCase(); this.apply(); } }),
      this.told);
    this.tell();
  }

  chip(drawer, at) {
    const size = this.model.drawer.reduce((sum, each) => sum + (each === at), 0);
    if (!size) return null;
    return el("button", { type: "button", class: "button chip", "aria-pressed": "true", "data-drawer": drawer, onclick: (event) => {
      this.toggle(this.drawers, at);
      event.currentTarget.setAttribute("aria-pressed", String(this.drawers.has(at)));
      this.apply();
    } }, swatch(drawer), `${drawer} ${grouped.format(size)}`);
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
      this.drawers.has(model.drawer[number]) && this.sessions.has(model.session[number]) && this.kinds.has(model.get(number, "kind")) &&
      (!matching || matching.has(model.get(number, "sql")) || matching.has(model.get(number, "became")) || matching.has(model.get(number, "step"))));
    this.tell();
    this.changed();
  }

  tell() {
    const { shownCount, size } = this.model;
    this.told.textContent = shownCount === size ? count(size, "statement") : `${grouped.format(shownCount)} of ${count(size, "statement")}`;
  }
}
