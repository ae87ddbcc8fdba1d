"use strict";
// A generator that makes each sample of the one before it, or of several: a row of them goes on, as long as one likes.

/** Bind the form of a row; returns what shows it. */
const startRow = (release, engine) => {
  const form = $("explore-form");
  const [picture, shown] = [$("explore-picture"), $("explore-row")];
  const { one } = release.words;
  const size = release.shape.reduce((product, side) => product * side, 1);
  const past = release.source.shape.reduce((product, side) => product * side, 1) / size; // of so many each is made
  const nothing = new Float32Array(size).fill(-1); // what comes before a first one, as in training
  let given = []; // what the row begins with, if anything
  let kind = "held out"; // or of the visitor's own
  let made = [];
  let spent = 0;
  VIEW.start?.(picture, $("explore-beside"));

  const row = () => [...given, ...made.map(({ values }) => values)];
  /** One more, of a seed, and of what a file keeps of those before it, the latest first; of too few the first is repeated. */
  const goOn = async (seed, attributes = attributesOf(form, release.attributes)) => {
    const all = row();
    const sources = new Float32Array(past * size);
    for (let back = 0; back < past; back += 1) {
      const before = all.at(-1 - back) ?? all[0] ?? nothing;
      sources.set(VIEW.written?.(before, release.shape) ?? before, back * size);
    }
    const latents = Float32Array.from(noiseOf(release.latents, seed));
    const { values, milliseconds } = await engine.make({ sources, latents, attributes: Float32Array.from(attributes) }, 1);
    spent = milliseconds;
    made = [...made, { values, seed, attributes }];
  };
  const draw = () => {
    const all = row();
    show(picture, all.at(-1) ?? nothing, release.shape, 0, true);
    picture.setAttribute("aria-label", `The last ${one}`);
    const items = all.map((values, place) => {
      const canvas = labeledCanvas(`${one} ${place + 1}${place < given.length ? `, ${kind}` : ""}`);
      show(canvas, values, release.shape);
      return element("li", place < given.length ? { class: "given" } : {}, canvas);
    });
    shown.replaceChildren(...items);
  };
  const settle = (asked = false, note = "") => {
    draw();
    const all = row();
    if (!all.length) return say(`Nothing yet: the next ${one} is the first.`);
    const [channels, steps, ...rest] = release.shape;
    const whole = new Float32Array(all.length * size);
    all.forEach((values, place) => whole.set(values, place * size));
    VIEW.settle?.(whole, asked, [channels, all.length * steps, ...rest], (all.length - 1) / all.length);
    const more = VIEW.inWords?.(all.at(-1), release.shape);
    const name = `${one[0].toUpperCase()}${one.slice(1)} ${all.length}`;
    say(`${note}${name}: ${more ? `${more}, ` : ""}${made.length ? `made in ${spent.toFixed(1)} ms.` : `${kind}.`}`);
  };
  const nextSeed = () => (made.length ? made.at(-1).seed + 1 : seedIn(form));
  const inTurn = oneAfterAnother();
  /** A button stays where the keys are, and says why it does nothing. */
  const press = (button, refusal, work) =>
    $(button)?.addEventListener("click", () =>
      doing(inTurn(async () => {
        const refused = refusal();
        if (refused) say(refused);
        else settle(await work());
      })));
  const withoutLast = () => (made.length ? "" : `The generator has made no ${one} yet.`);
  const full = () => (row().length < MOST_IN_A_ROW ? "" : `These are ${MOST_IN_A_ROW}, as many as a page shows.`);

  form.addEventListener("submit", (event) => event.preventDefault());
  press("explore-new", full, async () => {
    await goOn(nextSeed());
    return true;
  });
  press("explore-other", withoutLast, async () => {
    const { seed } = made.at(-1);
    made = made.slice(0, -1);
    await goOn(seed + 1000);
    return true;
  });
  press("explore-back", withoutLast, () => {
    made = made.slice(0, -1);
  });
  press("explore-watch", () => "", async () => {
    for (const values of row()) {
      show(picture, values, release.shape, 0, true);
      await new Promise((done) => setTimeout(done, MILLISECONDS_A_FRAME));
    }
  });
  const begin = (samples, of = "held out") => {
    [given, made, kind] = [samples, [], of];
  };
  form.addEventListener("input", () => showValues(form));
  form.elements.seed?.addEventListener("change", () =>
    doing(inTurn(async () => {
      const before = made;
      made = [];
      for (const [place, { attributes }] of before.entries()) await goOn(seedIn(form) + place, attributes);
      settle();
    })));
  const beginWith = (samples, of, note = "") =>
    doing(inTurn(async () => {
      begin(samples, of);
      await goOn(seedIn(form));
      settle(true, note);
    }));
  $("explore-clear")?.addEventListener("click", () => beginWith([]));
  if (form.elements.own) takesClips(form, release, (frames, note) => beginWith(frames, "yours", note));
  const first = async () => {
    const [sample] = await showsBeginnings(release, (values) => beginWith(inOrder(values, size)));
    begin(sample ? inOrder(sample, size) : []);
    await goOn(seedIn(form));
    draw();
  };
  return { update: first, settle };
};

const MOST_IN_A_ROW = 64; // a page draws and plays them all
const MILLISECONDS_A_FRAME = 120;

/** Samples that lie behind each other, the latest first, from the earliest on. */
const inOrder = (values, size) =>
  Array.from({ length: values.length / size }, (_, place) => values.subarray(place * size, (place + 1) * size)).reverse();

/** Work that is done in the order in which it was asked for. */
const oneAfterAnother = () => {
  let last = Promise.resolve();
  return (work) => {
    last = last.then(work, work);
    return last;
  };
};
