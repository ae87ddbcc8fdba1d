"use strict";
// "Which one is real?": ten pairs of a real picture and one that the generator made.

const PAIRS = 10;

/** Values `[C,H,W]` of ten pictures that the generator makes now, each of the class of the real one beside it. */
const freshOnes = async (release, engine) => {
  const count = release.classes.length;
  // The sheet of a release shows classes in order, as stages/selection/nearest.py chooses them.
  const labels = Array.from({ length: PAIRS }, (_, place) => (count ? place % count : 0)).sort((a, b) => a - b);
  const still = { to: 0, walk: 0, across: 0, up: 0, limit: Infinity, mixed: 0, amount: 0, attributes: [] };
  const asked = labels.map((label) => ({
    ...still,
    label,
    seed: Math.floor(Math.random() * 1e6),
    category: Math.floor(Math.random() * release.latents.categories),
    numbers: Array.from({ length: release.latents.numbers }, () => 2 * Math.random() - 1),
  }));
  const { values } = await engine.make(feedsOf(asked, release), PAIRS);
  const size = values.length / PAIRS;
  return labels.map((_, place) => values.subarray(place * size, (place + 1) * size));
};

/** Both pictures of each pair as values; where a picture cannot be made anew, the one that the release shows. */
const pairsOf = async (release, engine) => {
  const stored = async (name) => (await picturesOfStrip(release.strips[name], release.shape)).map(valuesOf);
  const anew = !release.source && !release.attributes.length;
  const [real, made] = await Promise.all([stored("real"), anew ? freshOnes(release, engine) : stored("made")]);
  return real.map((values, place) => ({ real: values, made: made[place] }));
};

const shuffled = (values) => {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
};

/** Bind the section of the game, where the release has real pictures; each press of its button begins anew. */
const startQuiz = (release, engine) => {
  const section = $("quiz");
  if (!release.strips.real || (!release.strips.made && release.source)) return;
  section.hidden = false;
  const [ask, told] = [$("quiz-pair"), $("quiz-told")];
  $("quiz-start").addEventListener("click", async () => {
    const pairs = shuffled(await pairsOf(release, engine));
    let hits = 0;
    const next = (number) => {
      if (number === pairs.length) return end(hits, pairs.length);
      const choice = (kind) => choiceOf(kind, pairs[number][kind], release.shape);
      const buttons = shuffled([choice("real"), choice("made")]);
      buttons.forEach((button, place) => {
        button.querySelector("canvas").setAttribute("aria-label", place ? "Picture on the right" : "Picture on the left");
        button.addEventListener("click", () => {
          const right = button.dataset.kind === "real";
          hits += Number(right);
          told.textContent = `${right ? "Right" : "No, that one was made"}. ${hits} of ${number + 1}.`;
          next(number + 1);
        });
      });
      ask.replaceChildren(element("p", { class: "small" }, `Pair ${number + 1} of ${pairs.length}: press the real one.`), ...buttons);
      if (number) buttons[0].focus({ preventScroll: true });
    };
    const end = (found, all) => {
      ask.replaceChildren();
      told.textContent = `You found ${found} of ${all} real pictures. Who guesses finds 5 on average; the nearer to that, the better the generator.`;
      $("quiz-start").textContent = "Play again";
      $("quiz-start").focus({ preventScroll: true });
    };
    told.textContent = "";
    next(0);
  });
};

const choiceOf = (kind, values, shape) => {
  const canvas = labeledCanvas("Picture");
  draw(canvas, values, shape);
  const button = element("button", { type: "button", class: "thumbnail" }, canvas);
  button.dataset.kind = kind;
  return button;
};
