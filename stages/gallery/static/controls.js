"use strict";
// What the parts of the explorer share on the page.

const $ = (id) => document.getElementById(id);
const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Say something to all readers, those who listen too. */
const say = (text) => {
  $("explore-status").textContent = text;
};

const underway = new Set();

/** Keep in mind that this is being done. @param {Promise<T>} work @returns {Promise<T>} @template T */
const doing = (work) => {
  underway.add(work);
  const end = () => underway.delete(work);
  work.then(end, end);
  return work;
};

/** Ends when nothing is being done any more. */
const idle = async () => {
  while (underway.size) await Promise.allSettled(underway);
};

/**
 * Work that is never done twice at once: what is asked for meanwhile is done once more when it ends.
 * @param {() => Promise<void>} work
 * @returns {() => Promise<void>} asks for it; ends when it was done with what the page then says
 */
const newest = (work) => {
  let running = null;
  let again = false;
  const run = async () => {
    do {
      again = false;
      await work();
    } while (again);
  };
  return () => {
    again = true;
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  };
};

/** @returns {HTMLElement} */
const element = (tag, attributes = {}, ...inner) => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...inner);
  return made;
};

/** A canvas that says what it shows. */
const labeledCanvas = (label) => element("canvas", { role: "img", "aria-label": label, width: 1, height: 1 });

/** Show beside each slider of a form what it says. */
const showValues = (form) => {
  form.querySelectorAll("input[type=range]").forEach((slider) => {
    const output = form.querySelector(`output[for="${slider.id}"]`);
    const text = slider.dataset.off && slider.value === slider.max ? slider.dataset.off : `${slider.value}${slider.dataset.unit ?? ""}`;
    slider.setAttribute("aria-valuetext", text);
    if (output) output.textContent = text;
  });
};
