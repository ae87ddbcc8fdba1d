"use strict";
// How samples of a medium are shown: each medium brings a script, beside its module in stages/media, that sets VIEW.

/**
 * What such a script says; RELEASE.medium holds the facts of its data (`Medium.to_show`).
 * @typedef {object} View
 * @property {(place: HTMLElement, values: Float32Array, shape: number[], large: boolean) => void} draw shows one sample
 *   `[C,*S]` in [-1,1] (or `many` of them) in an element
 * @property {string} [tag] of that element, a canvas where it is not said
 * @property {number} [many] how many samples are shown together, one where it is not said
 * @property {string} [hint] what can be done with the large one
 * @property {boolean} [turns] whether a drag on the large one, and arrow keys, are the view's own; else a drag moves
 *   through the noise
 * @property {(place: HTMLElement, beside: HTMLElement) => void} [start] binds the large one, once; `beside` has room for
 *   controls
 * @property {(values: Float32Array, asked: boolean) => string} [settle] told what the large one shows when it stays, and
 *   whether the reader asked for a new one; gives a part of a sentence for those who do not see it
 */

/** What stands in the place of a canvas, where the view shows its samples in something else. */
const placeFor = (canvas) => {
  const tag = VIEW.tag ?? "canvas";
  if (tag === "canvas") return canvas;
  const made = element(tag, { id: canvas.id, class: canvas.className });
  canvas.replaceWith(made);
  return made;
};

/** Show sample `index` of values `[N,C,*S]`, or the samples that are shown together. */
const show = (place, values, shape, index = 0, large = false) => {
  const size = shape.reduce((product, side) => product * side, VIEW.many ?? 1);
  VIEW.draw(place, values.subarray(index * size, (index + 1) * size), shape, large);
};
