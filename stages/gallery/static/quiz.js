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

/**
 * Two things to choose between.
 * @typedef {{real: HTMLElement, made: HTMLElement}} Two what shows each of them
 */

/** Of what can be heard, by ear alone: the players of the page's own section of sounds, held out and generated. */
const heardPairs = (release) =>
  [...document.querySelectorAll("#listen .heard")].map((row) => {
    const players = [...row.querySelectorAll("audio")].slice(release.source ? 1 : 0); // behind a source its translation
    const [real, made] = (release.source ? players.reverse() : players).map(({ src }) => element("div", {}, element("audio", { controls: "", src })));
    return { real, made };
  });

/** Of pictures; where one cannot be made anew, the one that the release shows. @returns {Promise<Two[]>} */
const seenPairs = async (release, engine) => {
  const stored = async (name) => (await picturesOfStrip(release.strips[name], release.pictured)).map(valuesOf);
  const isPicture = String(release.shape) === String(release.pictured);
  const anew = isPicture && !release.source && !release.attributes.length;
  const [real, made] = await Promise.all([stored("real"), anew ? freshOnes(release, engine) : stored("made")]);
  const shown = (values) => {
    const canvas = labeledCanvas(release.words.one);
    draw(canvas, values, release.pictured);
    return canvas;
  };
  return real.map((values, place) => ({ real: shown(values), made: shown(made[place]) }));
};

const shuffled = (values) => {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
};

/** What the reader found, beside what the discriminator did. */
const endOfQuiz = (found, all, release) => {
  const guessed = `Who guesses finds ${all / 2} on average; the nearer to that, the better the generator.`;
  const { judged } = release;
  const by = judged
    ? ` The discriminator, from which it learned, finds ${(100 * judged.share).toFixed(1)}%, asked about ${judged.pairs} such pairs.`
    : "";
  return `You found ${found} of ${all} real ${release.words.many}, ${Math.round((100 * found) / all)}%.${by} ${guessed}`;
};

/** Bind the section of the game, where the release has real samples; each press of its button begins anew. */
const startQuiz = (release, engine) => {
  const heard = heardPairs(release);
  const seen = release.strips.real && (release.strips.made || !release.source);
  if (!heard.length && !seen) return;
  $("quiz").hidden = false;
  const [ask, answer] = [$("quiz-pair"), $("quiz-answer")];
  $("quiz-start").addEventListener("click", async () => {
    const pairs = shuffled(heard.length ? heardPairs(release) : await seenPairs(release, engine));
    let hits = 0;
    const next = (number) => {
      if (number === pairs.length) return end();
      const choices = shuffled(["real", "made"]).map((kind, place) => choiceOf(kind, pairs[number][kind], place, release));
      choices.forEach(({ button }) =>
        button.addEventListener("click", () => {
          const right = button.dataset.kind === "real";
          hits += Number(right);
          answer.textContent = `${right ? "Right" : "No, that one was made"}. ${hits} of ${number + 1}.`;
          next(number + 1);
        }));
      const asked = element("p", { class: "small" }, `Pair ${number + 1} of ${pairs.length}: press the real one.`);
      ask.replaceChildren(asked, ...choices.map(({ whole }) => whole));
      if (number) choices[0].button.focus({ preventScroll: true });
    };
    const end = () => {
      ask.replaceChildren();
      answer.textContent = endOfQuiz(hits, pairs.length, release);
      $("quiz-start").textContent = "Play again";
      $("quiz-start").focus({ preventScroll: true });
    };
    answer.textContent = "";
    next(0);
  });
};

/** A button for one of a pair: a picture is the button itself; what is heard has its own below it. */
const choiceOf = (kind, shown, place, release) => {
  const { one } = release.words;
  const name = `${one[0].toUpperCase()}${one.slice(1)} on the ${place ? "right" : "left"}`;
  const player = shown.querySelector("audio");
  const button = element("button", { type: "button", class: player ? "" : "thumbnail" }, player ? "This one is real" : shown);
  button.setAttribute("aria-label", player ? `${name} is real` : name);
  if (!player) shown.setAttribute("aria-label", name);
  player?.setAttribute("aria-label", name);
  button.dataset.kind = kind;
  return { button, whole: player ? element("div", { class: "choice" }, shown, button) : button };
};

if (typeof module !== "undefined") module.exports = { endOfQuiz };
