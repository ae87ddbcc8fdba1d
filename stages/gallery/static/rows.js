"use strict";
// A generator that makes each sample of the one before it: a row of them goes on, as long as one likes.

/** Bind the form of a row; returns what shows it. */
const startRow = (release, engine) => {
  const form = $("explore-form");
  const [picture, shown] = [$("explore-picture"), $("explore-row")];
  const { one } = release.words;
  const size = release.shape.reduce((product, side) => product * side, 1);
  const nothing = new Float32Array(size).fill(-1); // what comes before a first one, as in training
  let given = []; // what the row begins with, one or none
  let made = [];
  let spent = 0;
  VIEW.start?.(picture, $("explore-beside"));

  const row = () => [...given, ...made.map(({ values }) => values)];
  /** One more, of a seed; what comes before it is what a file keeps of that. */
  const goOn = async (seed) => {
    const before = row().at(-1) ?? nothing;
    const sources = VIEW.written?.(before, release.shape) ?? before;
    const { values, milliseconds } = await engine.make({ sources, latents: Float32Array.from(noiseOf(release.latents, seed)) }, 1);
    spent = milliseconds;
    made = [...made, { values, seed }];
  };
  const draw = () => {
    const all = row();
    show(picture, all.at(-1) ?? nothing, release.shape, 0, true);
    picture.setAttribute("aria-label", `The last ${one}`);
    const items = all.map((values, place) => {
      const canvas = labeledCanvas(`${one} ${place + 1}${place < given.length ? ", held out" : ""}`);
      show(canvas, values, release.shape);
      return element("li", place < given.length ? { class: "given" } : {}, canvas);
    });
    shown.replaceChildren(...items);
  };
  const settle = (asked = false) => {
    draw();
    const all = row();
    if (!all.length) return say(`Nothing yet: the next ${one} is the first.`);
    const [channels, steps, ...rest] = release.shape;
    const whole = new Float32Array(all.length * size);
    all.forEach((values, place) => whole.set(values, place * size));
    VIEW.settle?.(whole, asked, [channels, all.length * steps, ...rest], (all.length - 1) / all.length);
    const more = VIEW.inWords?.(all.at(-1), release.shape);
    const name = `${one[0].toUpperCase()}${one.slice(1)} ${all.length}`;
    say(`${name}: ${more ? `${more}, ` : ""}${made.length ? `made in ${spent.toFixed(1)} ms.` : "held out."}`);
  };
  const nextSeed = () => (made.length ? made.at(-1).seed + 1 : seedIn(form));
  const inTurn = oneAfterAnother();
  /** A button stays where the keys are, and says why it does nothing. */
  const press = (button, refusal, work) =>
    $(button).addEventListener("click", () =>
      doing(inTurn(async () => {
        const refused = refusal();
        if (refused) say(refused);
        else settle(await work());
      })));
  const withoutLast = () => (made.length ? "" : `The generator has made no ${one} yet.`);
  const full = () => (row().length < MOST_IN_A_ROW ? "" : `These are ${MOST_IN_A_ROW}, as many as a page plays.`);

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
  const begin = (samples) => {
    [given, made] = [samples, []];
  };
  const again = async (seeds) => {
    made = [];
    for (const seed of seeds) await goOn(seed);
  };
  form.elements.seed.addEventListener("change", () =>
    doing(inTurn(async () => {
      await again(made.map((_, place) => seedIn(form) + place));
      settle();
    })));
  const beginWith = (samples) =>
    doing(inTurn(async () => {
      begin(samples);
      await goOn(seedIn(form));
      settle(true);
    }));
  $("explore-clear").addEventListener("click", () => beginWith([]));
  const first = async () => {
    const [sample] = await showsBeginnings(release, (values) => beginWith([values]));
    begin(sample ? [sample] : []);
    await goOn(seedIn(form));
    draw();
  };
  return { update: first, settle };
};

const MOST_IN_A_ROW = 64; // a page draws and plays them all

/** Work that is done in the order in which it was asked for. */
const oneAfterAnother = () => {
  let last = Promise.resolve();
  return (work) => {
    last = last.then(work, work);
    return last;
  };
};
