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
