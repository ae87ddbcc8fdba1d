"use strict";
// Which cards are wanted, and in what order. `cards` and what is returned are plain objects: see `read` below.
const choose = (cards, wanted) => {
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = cards.filter((card) =>
    ["family", "data", "level"].every((name) => !wanted[name] || card[name] === wanted[name]) &&
    (!wanted.metric || card.figures[wanted.metric]) &&
    words.every((word) => card.text.includes(word)));
  // Distances compare as multiples of what real images reach; a metric that was asked for, as it is.
  const best = (card) => (wanted.metric ? card.figures[wanted.metric][2] * (wanted.higher ? -1 : 1) : card.distance);
  const orders = {
    "": (a, b) => b.published - a.published,
    oldest: (a, b) => a.published - b.published,
    best: (a, b) => (best(a) ?? Infinity) - (best(b) ?? Infinity) || b.published - a.published,
  };
  return shown.sort(orders[wanted.order] ?? orders[""]);
};

// What the address asks for, and the address of what is asked for: a filtered view can be linked to, and gone back to.
const names = ["q", "family", "data", "level", "metric", "order"];
const parse = (hash) => {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return Object.fromEntries(names.map((name) => [name, given.get(name) ?? ""]));
};
const address = (wanted) => new URLSearchParams(names.filter((name) => wanted[name]).map((name) => [name, wanted[name]])).toString();

if (typeof document !== "undefined") {
  const form = document.getElementById("filters");
  const list = document.getElementById("releases");
  const count = document.getElementById("count");
  const chosen = document.getElementById("chosen");
  const higher = JSON.parse(form.dataset.higher);
  const read = (element) => ({
    element,
    family: element.dataset.family,
    data: element.dataset.data,
    level: element.dataset.level,
    published: Number(element.dataset.published),
    distance: element.dataset.distance === "" ? null : Number(element.dataset.distance),
    figures: JSON.parse(element.dataset.figures),
    text: `${element.textContent} ${element.dataset.release}`.toLowerCase(),
    usual: [...element.querySelectorAll("dl > div")],
    box: element.querySelector(".pick input"),
    metric: "",
  });
  const cards = [...list.children].map(read);

  // The figure that was asked for, in place of the card's own.
  const asked = (card, metric) => {
    if (card.metric === metric) return;
    card.metric = metric;
    card.element.querySelector("dl > .asked")?.remove();
    card.usual.forEach((row) => { row.hidden = Boolean(metric); });
    if (!metric) return;
    const [value, floor] = card.figures[metric];
    const row = card.usual[0].cloneNode(true);
    row.className = "asked";
    row.hidden = false;
    row.querySelector("dt").textContent = form.elements.metric.selectedOptions[0].textContent;
    row.querySelector(".value").textContent = value;
    row.querySelector(".quiet").textContent = `real: ${floor}`;
    card.element.querySelector("dl").prepend(row);
  };
  // Cards that are not wanted leave the page: to hide hundreds that lie out of sight takes a browser ten times as long.
  let current = "";
  const show = (wanted) => {
    if (address(wanted) === current) return;
    current = address(wanted);
    const shown = choose(cards, { ...wanted, higher: higher.includes(wanted.metric) });
    shown.forEach((card) => asked(card, wanted.metric));
    list.replaceChildren(...shown.map((card) => card.element));
    count.textContent = `${shown.length.toLocaleString("en")} shown`;
  };
  const fill = (wanted) => names.forEach((name) => {
    if (form.elements[name].value === wanted[name]) return; // what is being typed keeps its cursor
    form.elements[name].value = wanted[name];
    if (form.elements[name].value !== wanted[name]) form.elements[name].value = wanted[name] = ""; // gone since
  });
  const wantedNow = () => Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
  const follow = () => { const wanted = parse(location.hash); fill(wanted); show(wanted); };
  form.addEventListener("input", () => {
    show(wantedNow());
    location.replace(`#${address(wantedNow())}`); // not replaceState, which pages on a disk may not call
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);

  // Two to compare: the third takes the place of the first.
  let pair = [];
  list.addEventListener("change", (event) => {
    const { value, checked } = event.target;
    pair = pair.filter((release) => release !== value);
    if (checked) pair = [...pair, value].slice(-2);
    cards.forEach(({ box }) => { box.checked = pair.includes(box.value); });
    chosen.hidden = pair.length === 0;
    chosen.textContent = pair.length === 1 ? "Choose one more to compare." : "";
    if (pair.length === 2) {
      const link = document.createElement("a");
      link.href = `compare.html#${pair.join(",")}`;
      link.textContent = "Compare the two side by side";
      chosen.append(link);
    }
  });
  form.hidden = false;
  list.querySelectorAll(".pick").forEach((pick) => { pick.hidden = false; });
  follow();
}
if (typeof module !== "undefined") module.exports = { choose, parse, address };
