"use strict";
// Lines in a browser: as text, in whatever direction its letters run.

/** The words of a line `[1,1,T]` up to its end, which is the first of the vocabulary. */
const wordsIn = (values, vocabulary) => {
  const numbers = Array.from(values, (value) => Math.round(((value + 1) * (vocabulary.length - 1)) / 2));
  const end = numbers.indexOf(0);
  return numbers.slice(0, end < 0 ? numbers.length : end).map((number) => vocabulary[number]);
};

const lineOf = (values) => wordsIn(values, RELEASE.medium.vocabulary).join(RELEASE.medium.between);

const VIEW = {
  tag: "p",
  hint: "Each word is drawn by a number of its own: a small move changes few of them, or one and all that follow.",
  draw: (place, values) => {
    Object.assign(place, { dir: "auto", textContent: lineOf(values) || "\u2205" }); // the sign of what is empty
    place.classList.add("line");
  },
  settle: (values) => `\u201c${lineOf(values)}\u201d`,
};
