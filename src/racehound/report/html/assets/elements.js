// Making elements, and writing numbers for people.

function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") for (const [key, to] of Object.entries(value)) element.style.setProperty(key, to);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const grouped = new Intl.NumberFormat("en");
const count = (number, one, many = `${one}s`) => `${grouped.format(number)} ${number === 1 ? one : many}`;

// A duration in microseconds, to three digits.
function duration(us) {
  const size = Math.abs(us);
  const [value, unit] = size < 1e3 ? [us, "µs"] : size < 1e6 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

// A share in percent. "0 %" and "100 %" are shown only where they are exact.
function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  if (part && percent < 0.1) return "< 0.1 %";
  if (part < whole && percent > 99.9) return "> 99.9 %";
  return `${percent === 0 || percent === 100 ? percent : percent.toFixed(1)} %`;
}

function announce(text) {
  document.getElementById("announcer").textContent = text;
}

// A command to paste, with a button that copies it.
function command(text) {
  const button = el("button", { class: "button", type: "button", "aria-label": `Copy: ${text}`, onclick: copy }, "Copy");
  const shown = el("pre", {}, text);
  function copy() {
    getSelection().selectAllChildren(shown);
    document.execCommand("copy");
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
  return el("div", { class: "command" }, shown, button);
}

const SIGNS = { ok: "", expected: "–", unexplained: "?", internal: "!", lost: "×" };
const swatch = (outcome) => el("span", { class: `swatch ${outcome}`, "aria-hidden": "true" }, SIGNS[outcome]);

// Statements by outcome as one bar.
function stack(outcomes, counts) {
  const parts = outcomes.map((outcome, at) => (counts[at] ? el("span", { class: outcome, style: { flex: `${counts[at]} 0 0` } }) : null));
  const words = outcomes.map((outcome, at) => `${counts[at]} ${outcome}`).join(", ");
  return el("div", { class: "stack", role: "img", "aria-label": words, title: words }, parts);
}

// An element as wide as there is room calls back with its width, now and whenever that changes.
function whenSized(element, call) {
  let known = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== known) call((known = width));
  }).observe(element);
}
