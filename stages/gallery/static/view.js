"use strict";
// How samples of a medium are shown: each medium brings a script, beside its module in stages/media, that sets VIEW.

/**
 * What such a script says; RELEASE.medium holds the facts of its data (`Medium.to_show`).
 * @typedef {object} View
 * @property {(place: HTMLElement, values: Float32Array, shape: number[], large: boolean) => void} draw shows one sample
 *   `[C,*S]` in [-1,1] (or `many` of them) in an element
 * @property {string} [tag] of that element, a canvas where it is not said
 * @property {number} [many] how many samples are shown together, one where it is not said
 * @property {string} [hint] how the large one is to be read
 * @property {string} [drag] what a drag on it does, where samples are made of noise
 * @property {boolean} [turns] whether a drag on the large one, and arrow keys, are the view's own; else a drag moves
 *   through the noise
 * @property {(place: HTMLElement, beside: HTMLElement) => void} [start] binds the large one, once; `beside` has room for
 *   controls
 * @property {(values: Float32Array, asked: boolean, shape?: number[], from?: number) => string} [settle] called with what the
 *   large one shows when it stays, and whether the reader asked for a new one; gives a part of a sentence for those who do
 *   not see it. `shape` is said where it is another than RELEASE.shape: of a longer sample, or of several in a row along
 *   their first side, the last of which begins at the share `from`
 * @property {(values: Float32Array, shape: number[], generated: boolean) => Uint8Array} [play] a sample as a WAV file
 * @property {(file: File) => Promise<Float32Array>} [read] a sample of one side and any length, of a file of the reader's
 * @property {(values: Float32Array, shape: number[]) => Float32Array} [written] what a file keeps of a sample, as
 *   `Medium.as_written`
 * @property {(values: Float32Array, shape: number[]) => string} [inWords] a sample in words
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
