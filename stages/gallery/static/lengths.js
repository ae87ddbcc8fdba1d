"use strict";
// A generator that makes a sample of a sample, of any length: it goes through as windows that share halves.

const LONGEST = 2 ** 20; // parts of a sample that a page takes: two minutes at 8 kHz
const WINDOWS_AT_ONCE = 8;

/** Where each window begins, the last of which ends where the sample does; as `mintage.windows.Windows`. */
const windowsOf = (length, size) => {
  const [last, step] = [Math.max(0, length - size), Math.max(1, Math.floor(size / 2))];
  return [...Array.from({ length: Math.ceil(last / step) }, (_, number) => number * step), last];
};

/**
 * What the generator makes of a sample: each window counts the less, the nearer to its end a part is.
 * @param {Float32Array} sample @param {number} seed of the first window's noise @param {number[]} attributes
 * @returns {Promise<{values: Float32Array, milliseconds: number}>}
 */
const throughWindows = async (engine, release, sample, seed, attributes) => {
  const [, size] = release.shape;
  const starts = windowsOf(sample.length, size);
  const weights = Array.from({ length: size }, (_, place) => Math.sin((Math.PI * (place + 0.5)) / size) ** 2);
  const [sum, total] = [new Float64Array(Math.max(sample.length, size)), new Float64Array(Math.max(sample.length, size))];
  let spent = 0;
  for (let first = 0; first < starts.length; first += WINDOWS_AT_ONCE) {
    const some = starts.slice(first, first + WINDOWS_AT_ONCE);
    const sources = new Float32Array(some.length * size); // silence is behind a sample that is too short
    some.forEach((start, number) => sources.set(sample.subarray(start, start + size), number * size));
    const latents = Float32Array.from(some.flatMap((_, number) => noiseOf(release.latents, seed + first + number)));
    const asked = Float32Array.from(some.flatMap(() => attributes));
    const { values, milliseconds } = await engine.make({ sources, latents, attributes: asked }, some.length);
    spent += milliseconds;
    some.forEach((start, number) =>
      weights.forEach((weight, place) => {
        sum[start + place] += weight * values[number * size + place];
        total[start + place] += weight;
      }));
  }
  return { values: Float32Array.from(sum.subarray(0, sample.length), (value, place) => value / total[place]), milliseconds: spent };
};

/** Bind the form of what is made of a sample; returns what shows both. */
const startLengths = (release, engine) => {
  const form = $("explore-form");
  const [source, picture] = [$("explore-source"), $("explore-picture")];
  const { one } = release.words;
  const given = VIEW.play && new Listening($("explore-given"), "explore-yours", `The ${one} that is given`, `given ${one}`);
  let sample = new Float32Array(release.shape[1]);
  let made = sample;
  VIEW.start?.(picture, $("explore-beside"));

  const update = newest(async () => {
    const asked = sample;
    const { values, milliseconds } = await throughWindows(engine, release, asked, seedIn(form), attributesOf(form, release.attributes));
    made = values;
    VIEW.draw(source, asked, [1, asked.length], true);
    VIEW.draw(picture, values, [1, values.length], true);
    given?.take(VIEW.play(asked, [1, asked.length], false));
    picture.dataset.milliseconds = milliseconds.toFixed(2);
  });
  const settle = (asked = false) => doing(settled(asked));
  const settled = async (asked, note = "") => {
    await update();
    const more = VIEW.settle?.(made, asked, [1, made.length]);
    say(`${note}The generator's ${one}: ${more ? `${more}, ` : ""}made in ${Number(picture.dataset.milliseconds).toFixed(1)} ms.`);
  };
  const take = (values) => {
    sample = values.slice(0, LONGEST);
    return doing(settled(true, values.length > LONGEST ? `Your ${one} is long: this is the beginning. ` : ""));
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => showValues(form));
  form.addEventListener("change", ({ target }) => target !== form.elements.own && settle(true));
  takesFiles(form, one, take);
  const begin = async () => {
    const [first] = await showsBeginnings(release, take);
    if (first) sample = first;
    await update();
  };
  return { update: begin, settle, given };
};

const seedIn = (form) => Math.trunc(Number(form.elements.seed?.value ?? 0));

/** A file of the visitor's own: chosen, or dropped on the section. */
const takesFiles = (form, one, take) => {
  const open = async (file) => {
    if (!file) return;
    let values = null;
    try {
      values = await VIEW.read(file);
    } catch {
      return say(`This browser cannot read that ${one}: try a WAV file.`);
    }
    await take(values);
  };
  form.elements.own.closest(".row").hidden = !VIEW.read;
  if (!VIEW.read) return;
  form.elements.own.addEventListener("change", (event) => doing(open(event.target.files[0])));
  $("explore").addEventListener("dragover", (event) => event.preventDefault());
  $("explore").addEventListener("drop", (event) => {
    event.preventDefault();
    doing(open(event.dataTransfer.files[0]));
  });
};

/** Buttons of the held-out samples that the release has; returns them. @returns {Promise<Float32Array[]>} */
const showsBeginnings = async (release, take) => {
  const packed = release.beginnings.map(async ({ values }) => new Float32Array((await unpacked(values)).buffer));
  const samples = await Promise.all(packed);
  const buttons = samples.map((values, number) => {
    const canvas = element("canvas", { "aria-hidden": "true" });
    VIEW.draw(canvas, values, release.shape, false);
    const label = `Begin with ${release.beginnings[number].title}`;
    const button = element("button", { type: "button", class: "thumbnail", "aria-label": label, title: label }, canvas);
    button.addEventListener("click", () => take(values));
    return button;
  });
  $("explore-examples").append(...buttons);
  return samples;
};

if (typeof module !== "undefined") module.exports = { windowsOf };
