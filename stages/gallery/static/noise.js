"use strict";
// A generator of noise: drawn by a seed, moved, walked, truncated, of a class, of mixed ones, with attributes.

/**
 * What is asked for: the form's fields.
 * @typedef {{seed: number, to: number, walk: number, across: number, up: number, limit: number, category: number,
 *   numbers: number[], label: number, mixed: number, amount: number, attributes: number[]}} Asked
 */

/** @returns {Asked} */
const askedOf = (form, release) => {
  const number = (name, without = 0) => (form.elements[name] ? Number(form.elements[name].value) : without);
  const several = (name, many) => Array.from({ length: many }, (_, place) => number(`${name}-${place}`));
  const limit = form.elements.limit;
  return {
    seed: Math.trunc(number("seed")),
    to: Math.trunc(number("to")),
    walk: number("walk") / 100,
    across: number("across") / 100,
    up: number("up") / 100,
    limit: limit && limit.value !== limit.max ? Number(limit.value) : Infinity,
    category: number("category"),
    numbers: several("number", release.latents.numbers),
    label: number("label"),
    mixed: number("mixed"),
    amount: number("amount") / 100,
    attributes: attributesOf(form, release.attributes),
  };
};

/** Attributes on [-1,1]: a number of a slider, or 1 at the chosen word and -1 at the others. */
const attributesOf = (form, names) =>
  names.map((name, place) => {
    const slider = form.elements[`attribute-${place}`];
    return slider ? Number(slider.value) : form.elements[`word-${name.split("=")[0]}`].value === String(place) ? 1 : -1;
  });

/** @returns {number[]} the latents of one picture */
const latentsOf = (asked, latents) => {
  const start = noiseOf(latents, asked.seed);
  const walked = asked.walk ? between(start, noiseOf(latents, asked.to), asked.walk, latents.distribution) : start;
  const noise = moved(walked, asked.across, asked.up, latents);
  const category = Array.from({ length: latents.categories }, (_, place) => Number(place === asked.category));
  return [...(Number.isFinite(asked.limit) ? truncated(noise, asked.limit) : noise), ...category, ...asked.numbers];
};

/** @returns {number[]} weights of the classes, or where those cannot be mixed, the label */
const labelsOf = (asked, release) => {
  if (!release.mixes) return [asked.label];
  const weights = release.classes.map(() => 0);
  weights[asked.label] += 1 - asked.amount;
  weights[asked.mixed] += asked.amount;
  return weights;
};

/** @param {Asked[]} several @returns {Feeds} */
const feedsOf = (several, release) => ({
  latents: Float32Array.from(several.flatMap((asked) => latentsOf(asked, release.latents))),
  labels: Float32Array.from(several.flatMap((asked) => labelsOf(asked, release))),
  attributes: Float32Array.from(several.flatMap((asked) => asked.attributes)),
});

const inWords = (asked, release) => {
  const kind = release.classes.length ? ` of the class ${release.classes[asked.label]}` : "";
  const mix = asked.amount ? ` with ${Math.round(100 * asked.amount)}% of ${release.classes[asked.mixed]}` : "";
  const walk = asked.walk ? `, ${Math.round(100 * asked.walk)}% of the way to ${asked.to}` : "";
  const one = VIEW.many ? release.words.many : release.words.one;
  return `${one[0].toUpperCase()}${one.slice(1)} ${asked.seed}${kind}${mix}${walk}`;
};

/** The same asked of as many seeds as are shown together; none is shared with the next seed's. */
const together = (asked) => {
  const many = VIEW.many ?? 1;
  return Array.from({ length: many }, (_, place) => ({ ...asked, seed: asked.seed * many + place, to: asked.to * many + place }));
};

/** What several askings give, each in its own place; all values, and the time for one in milliseconds. */
const drawAll = async (engine, release, several, places, large = false) => {
  const all = several.flatMap(together);
  const { values, milliseconds } = await engine.make(feedsOf(all, release), all.length);
  places.forEach((place, index) => show(place, values, release.shape, index, large));
  return { values, milliseconds: milliseconds / several.length };
};

const STEPS = 9; // of a walk
const PLAYED = 4000; // milliseconds of a walk

/** Bind the form of noise; returns what draws the picture, and what draws all that is shown of it. */
const startNoise = (release, engine) => {
  const form = $("explore-form");
  const picture = placeFor($("explore-picture"));
  $("explore-steps").append(...Array.from({ length: STEPS }, () => element("canvas", { width: 1, height: 1 })));
  const steps = [...$("explore-steps").children].map(placeFor);
  const thumbnails = [...form.querySelectorAll("canvas.kind")].map(placeFor);
  const kind = form.elements.label ? "label" : "category";
  const now = () => askedOf(form, release);
  let shown = null;
  if (VIEW.many) $("explore-new").textContent = `New ${release.words.many}`;
  VIEW.start?.(picture, $("explore-beside"));

  const update = newest(async () => {
    showValues(form);
    const asked = now();
    const { values, milliseconds } = await drawAll(engine, release, [asked], [picture], true);
    shown = values;
    if (picture.tagName === "CANVAS") picture.setAttribute("aria-label", inWords(asked, release));
    picture.dataset.milliseconds = milliseconds.toFixed(2);
  });
  const updateOthers = newest(async () => {
    const asked = now();
    const walk = steps.map((_, place) => ({ ...asked, walk: place / (STEPS - 1) }));
    const kinds = thumbnails.map((_, place) => ({ ...asked, [kind]: place, amount: 0 }));
    await drawAll(engine, release, [...walk, ...kinds], [...steps, ...thumbnails]);
  });
  const settle = (asked = false) => doing(settled(asked));
  const settled = async (asked) => {
    await update();
    const more = VIEW.settle?.(shown, asked);
    say(`${inWords(now(), release)}: ${more ? `${more}, ` : ""}made in ${Number(picture.dataset.milliseconds).toFixed(1)} ms.`);
    await updateOthers();
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => doing(update()));
  form.addEventListener("change", () => settle());
  $("explore-new").addEventListener("click", () => {
    form.elements.seed.value = Math.floor(Math.random() * 1e6);
    for (const name of ["across", "up", "walk"]) form.elements[name].value = 0;
    settle(true);
  });
  if (!VIEW.turns && VIEW.tag === undefined) movedByDragging(picture, form, update, settle);
  playedWalk($("explore-play"), form, update, settle);
  return { update, settle };
};

/** A finger or a mouse that moves over the picture moves the two sliders. */
const movedByDragging = (picture, form, update, settle) => {
  const within = (value) => Math.max(-100, Math.min(100, Math.round(value)));
  let from = null;
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    from = [event.clientX, event.clientY, Number(form.elements.across.value), Number(form.elements.up.value)];
  });
  picture.addEventListener("pointermove", (event) => {
    if (!from) return;
    const scale = 200 / picture.getBoundingClientRect().width;
    form.elements.across.value = within(from[2] + (event.clientX - from[0]) * scale);
    form.elements.up.value = within(from[3] - (event.clientY - from[1]) * scale);
    doing(update());
  });
  const end = () => {
    if (from) settle();
    from = null;
  };
  picture.addEventListener("pointerup", end);
  picture.addEventListener("pointercancel", end);
};

/** A button that walks there and back until it is pressed again; who wants no motion goes a step at each press. */
const playedWalk = (button, form, update, settle) => {
  const { walk } = form.elements;
  let playing = false;
  const stop = () => {
    playing = false;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Walk";
    settle();
  };
  const frame = (start) => async (time) => {
    if (!playing) return;
    const passed = ((time - start) / PLAYED) % 2;
    walk.value = Math.round(100 * (passed < 1 ? passed : 2 - passed));
    await update();
    requestAnimationFrame(frame(start));
  };
  button.addEventListener("click", () => {
    if (reducedMotion()) {
      walk.value = Number(walk.value) >= 100 ? 0 : Number(walk.value) + 10;
      settle();
    } else if (playing) {
      stop();
    } else {
      playing = true;
      button.setAttribute("aria-pressed", "true");
      button.textContent = "Stop";
      requestAnimationFrame((time) => frame(time - (Number(walk.value) / 100) * PLAYED)(time));
    }
  });
  walk.addEventListener("pointerdown", () => playing && stop());
};
