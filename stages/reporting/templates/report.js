"use strict";
// Grids over time: the strip becomes one picture, moved by a slider or played.
(() => {
  const film = document.querySelector(".film");
  const player = document.querySelector(".player");
  if (!film || film.children.length < 2) return;
  const frames = [...film.children];
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  let timer = 0;
  let fresh = true; // the first play starts at the beginning
  const show = (index) => {
    frames.forEach((frame, i) => frame.classList.toggle("now", i === index));
    slider.value = index;
    slider.setAttribute("aria-valuetext", frames[index].querySelector("figcaption").textContent.trim().replace(/\s+/g, " "));
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const step = () => {
    const next = Number(slider.value) + 1;
    if (next < frames.length) show(next);
    else stop();
  };
  const play = () => {
    if (fresh || Number(slider.value) === frames.length - 1) show(0);
    fresh = false;
    button.textContent = "Pause";
    timer = setInterval(step, 600);
  };
  slider.addEventListener("input", () => { fresh = false; stop(); show(Number(slider.value)); });
  button.addEventListener("click", () => (timer ? stop() : play()));
  film.classList.add("one");
  film.removeAttribute("tabindex"); // nothing to scroll any more
  player.hidden = false;
  show(Math.max(0, frames.findIndex((frame) => frame.dataset.selected)));
})();

// Tables whose headings sort: each becomes a button; the first press brings what its column counts as best to the top.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const sort = (column, direction) => {
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    const order = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
    rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * order(a, b)));
    body.append(...rows.map(([, row]) => row));
    headings.forEach((heading) => heading.removeAttribute("aria-sort"));
    headings[column].setAttribute("aria-sort", direction);
  };
  headings.forEach((heading, column) => {
    if (heading.tagName !== "TH") return; // a column of words that are not to be compared
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const other = { ascending: "descending", descending: "ascending" };
      sort(column, other[heading.getAttribute("aria-sort")] ?? heading.dataset.best ?? "ascending");
    });
  });
}
