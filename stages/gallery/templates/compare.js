"use strict";
// Whether figures of both can be compared: of the same data, features and number of samples real ones reach the same.
const comparable = (left, right) => Object.keys(left.figures)
  .every((name) => !right.figures[name] || left.figures[name][1] === right.figures[name][1]);

// Rows of figures: [title, left, right, what real images reach, which side is better ("left", "right" or "")].
const figureRows = (metrics, left, right) => Object.entries(metrics)
  .filter(([name]) => left.figures[name] || right.figures[name])
  .map(([name, [title, direction]]) => {
    const [a, b] = [left.figures[name], right.figures[name]];
    const ahead = a && b && a[2] !== b[2] && comparable(left, right) ? ((a[2] < b[2]) === (direction === "min") ? "left" : "right") : "";
    const floors = [...new Set([a, b].filter(Boolean).map((figure) => figure[1]))].join(" and ");
    return [(a ?? b)[3] ?? title, a ? a[0] : "–", b ? b[0] : "–", floors, ahead];
  });

// Params that differ: [name, left, right]. A release holds what is other than usual, and null where it has none.
const paramRows = (usual, left, right) => {
  const has = (release, name) => (name in release.params ? release.params[name] : usual[name] ?? null);
  const known = new Set([...Object.keys(left.params), ...Object.keys(right.params)]);
  return [...known].sort()
    .filter((name) => has(left, name) !== has(right, name))
    .map((name) => [name, has(left, name) ?? "–", has(right, name) ?? "–"]);
};

// A name in the parts between which a line may end.
const broken = (name) => name.match(/[^._]*[._]|[^._]+/g) ?? [];

// The two that the address names, else the newest two.
const pairOf = (hash, releases) => {
  const asked = hash.replace(/^#/, "").split(",").filter((release) => releases.includes(release));
  const others = releases.filter((release) => !asked.includes(release));
  return [...asked, ...others, ...asked].slice(0, 2);
};

if (typeof document !== "undefined") {
  const data = JSON.parse(document.getElementById("data").textContent);
  const releases = [...document.querySelectorAll("#pair [name=left] option")].map((option) => option.value);
  const form = document.getElementById("pair");
  const place = document.getElementById("table");
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text ?? "";
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  };
  const side = (id, release) => {
    const box = make("div");
    const link = make("a", release.title, { href: `releases/${id}/index.html`, dir: "auto" });
    const [width, height] = release.size;
    const window = make("div", "", { class: "window" });
    window.append(make("img", "", { src: `releases/${id}/samples.png`, width, height, alt: `Samples of ${release.title}` }));
    const heading = make("h2");
    heading.append(link);
    box.append(heading, make("p", `${release.day}, ${id.slice(0, 8)}`, { class: "small quiet" }), window, make("p", release.verdict || "No verdict was given.", { class: "small after", dir: "auto" }));
    return box;
  };
  const table = (headings, rows, label, kind) => {
    const box = make("div", "", { class: "scroll part", tabindex: "0", role: "group", "aria-label": label });
    const made = make("table", "", { class: kind });
    const head = made.createTHead().insertRow();
    headings.forEach((heading) => head.append(make("th", heading, { scope: "col" })));
    const body = made.createTBody();
    rows.forEach(([name, ...cells]) => {
      const row = body.insertRow();
      const heading = make("th", "", { scope: "row" });
      heading.append(...broken(name).flatMap((part) => [part, make("wbr")]));
      row.append(heading, ...cells.map(([text, best]) => make("td", text, best ? { class: "best" } : {})));
    });
    box.append(made);
    return box;
  };
  const show = () => {
    const [a, b] = [form.elements.left.value, form.elements.right.value];
    const [left, right] = [data.releases[a], data.releases[b]];
    const pictures = make("div", "", { class: "pairs" });
    pictures.append(side(a, left), side(b, right));
    const figures = figureRows(data.metrics, left, right)
      .map(([name, one, other, floor, ahead]) => [name, [one, ahead === "left"], [other, ahead === "right"], [floor]]);
    const params = paramRows(data.usual, left, right).map(([name, one, other]) => [name, [one], [other]]);
    place.replaceChildren(
      pictures,
      comparable(left, right)
        ? make("p", "The better of two figures is bold.", { class: "small quiet after" })
        : make("p", "Real data score differently on the two sides (other data, evaluator or number of samples), so these figures cannot be compared.", { class: "note plain after" }),
      table(["figure", "left", "right", "real data"], figures, "Figures of both", "measured"),
      params.length ? table(["param that differs", "left", "right"], params, "Params that differ", "params") : make("p", "No param differs.", { class: "after" }),
    );
  };
  const follow = () => {
    [form.elements.left.value, form.elements.right.value] = pairOf(location.hash, releases);
    show();
  };
  if (releases.length) {
    form.addEventListener("input", () => {
      show();
      location.replace(`#${form.elements.left.value},${form.elements.right.value}`); // as in gallery.js
    });
    window.addEventListener("hashchange", follow);
    form.hidden = false;
    follow();
  } else {
    place.textContent = "Nothing has been published yet.";
  }
}
if (typeof module !== "undefined") module.exports = { broken, comparable, figureRows, paramRows, pairOf };
