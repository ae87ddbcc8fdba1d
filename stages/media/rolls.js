"use strict";
// Bars of music in a browser: a piano roll, played by the synthesizer of mintage/midi.py, and to be taken along as MIDI.

const STEP_PIXELS = 6; // as stages/media/rolls.py draws a bar
const [PAPER, BLACK_KEY, LINE, INK, FRAME] = [[255, 255, 255], [237, 239, 243], [196, 200, 210], [28, 60, 120], [90, 96, 110]];
const FAINT = 0.35;
const BLACK_KEYS = [1, 3, 6, 8, 10];
const NAMES = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"];

/**
 * Which pitches sound in each step of a bar `[C,T,P]`, as `mintage.rolls.sounding`: what is above 0, of one voice the
 * strongest alone, of equal ones the highest.
 * @returns {boolean[][]} `[T][P]`
 */
const soundingIn = (values, [channels, steps, pitches], voices) =>
  Array.from({ length: steps }, (_, step) => {
    const strength = (pitch) =>
      Math.max(...Array.from({ length: channels }, (_, channel) => values[(channel * steps + step) * pitches + pitch]));
    const strengths = Array.from({ length: pitches }, (_, pitch) => strength(pitch));
    const strongest = strengths.lastIndexOf(Math.max(...strengths));
    return strengths.map((one, pitch) => one > 0 && (voices === "many" || pitch === strongest));
  });

/** Of each note its first step, the one behind its last, and its pitch. @returns {number[][]} in order of pitch */
const notesOf = (sounding) => {
  const notes = [];
  for (let pitch = 0; pitch < sounding[0].length; pitch += 1) {
    let begin = null;
    for (let step = 0; step <= sounding.length; step += 1) {
      const sounds = step < sounding.length && sounding[step][pitch];
      if (sounds && begin === null) begin = step;
      if (!sounds && begin !== null) {
        notes.push([begin, step, pitch]);
        begin = null;
      }
    }
  }
  return notes;
};

/** Plucked notes, as `mintage.midi.as_sound`. @returns {Float64Array} samples in [-1,1], `medium.rate` a second */
const asSound = (sounding, { lowest, tempo, rate, timbre }) => {
  const perStep = (60 / tempo / 4) * rate;
  const sound = new Float64Array(roundedToEven(sounding.length * perStep));
  for (const [begin, end, pitch] of notesOf(sounding)) {
    const [first, last] = [roundedToEven(begin * perStep), roundedToEven(end * perStep)];
    const hertz = 440 * 2 ** ((lowest + pitch - 69) / 12);
    const partials = timbre.partials.map((share, place) => [place + 1, share]).filter(([number]) => number * hertz < rate / 2);
    for (let place = first; place < last; place += 1) {
      const seconds = (place - first) / rate;
      const ends = Math.min(1, Math.min(seconds, (last - 1 - place) / rate) / timbre.edge);
      const tone = partials.reduce((sum, [number, share]) => sum + share * Math.sin(2 * Math.PI * number * hertz * seconds), 0);
      sound[place] += timbre.loudness * Math.exp(-timbre.decay * seconds) * ends * tone;
    }
  }
  return sound;
};

const bigEndian = (number, count) => bytesOf(number, count).reverse();
const varying = (number) => (number < 128 ? [number] : [...varying(number >> 7).map((byte) => byte | 128), number & 127]);
const meta = (kind, data) => [255, kind, ...varying(data.length), ...data];

/** A MIDI file of one track that says it was generated, as `mintage.midi.encode_midi`. @returns {Uint8Array} */
const midiOf = (sounding, { lowest, tempo, comments }) => {
  const ticks = 120; // a step: a sixteenth, of 480 a quarter note
  const changes = notesOf(sounding).flatMap(([begin, end, pitch]) => [[begin, 1, pitch], [end, 0, pitch]]);
  changes.sort((one, other) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2]);
  let before = 0;
  const events = changes.flatMap(([step, begins, pitch]) => {
    const wait = varying((step - before) * ticks);
    before = step;
    return [...wait, begins ? 0x90 : 0x80, lowest + pitch, begins ? 90 : 0];
  });
  const rest = varying((sounding.length - before) * ticks);
  const head = [0, ...meta(0x51, bigEndian(roundedToEven(60e6 / tempo), 3)), 0, ...meta(0x58, [4, 2, 24, 8])];
  const track = [...comments.flatMap((text) => [0, ...meta(1, letters(text))]), ...head, ...events, ...rest, ...meta(0x2f, [])];
  const file = [...letters("MThd"), ...bigEndian(6, 4), ...bigEndian(0, 2), ...bigEndian(1, 2), ...bigEndian(480, 2)];
  return Uint8Array.from([...file, ...letters("MTrk"), ...bigEndian(track.length, 4), ...track]);
};

/** Pixels of a bar as `Rolls.pixels` has them: what does not sound is faint. @returns {{pixels, width, height}} */
const pictureOf = (values, [channels, steps, pitches], sounding, lowest) => {
  const high = Math.min(4, Math.max(2, Math.floor(96 / pitches)));
  const [width, height] = [steps * STEP_PIXELS, pitches * high];
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  const colorAt = (x, up) => {
    if (x === 0 || up === 0) return FRAME;
    const [step, pitch] = [Math.floor(x / STEP_PIXELS), Math.floor(up / high)];
    const key = (pitch + lowest) % 12;
    const onLine = x % (4 * STEP_PIXELS) === 0 || (up % high === 0 && key === 0);
    if (onLine && !sounding[step][pitch]) return LINE;
    const strength = Math.max(...Array.from({ length: channels }, (_, one) => values[(one * steps + step) * pitches + pitch]));
    const share = sounding[step][pitch] ? 1 : (FAINT * (strength + 1)) / 2;
    const paper = BLACK_KEYS.includes(key) ? BLACK_KEY : PAPER;
    return paper.map((level, color) => share * INK[color] + (1 - share) * level);
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set(colorAt(x, height - 1 - y), 4 * (y * width + x));
  }
  return { pixels, width, height };
};

/** The names of the notes, in the order in which they begin. */
const inNotes = (sounding) => {
  const inOrder = notesOf(sounding).sort((one, other) => one[0] - other[0] || one[2] - other[2]);
  const pitches = inOrder.map((note) => note[2] + RELEASE.medium.lowest);
  return pitches.map((pitch) => `${NAMES[pitch % 12]} ${Math.floor(pitch / 12) - 1}`).join(", ") || "nothing sounds";
};

let player = null;
let link = null;

const VIEW = {
  hint: "Time runs to the right, a sixteenth a column; high notes are at the top. Faint is what does not sound.",
  drag: "Drag to move.",
  draw: (canvas, values, shape) => {
    const sounding = soundingIn(values, shape, RELEASE.medium.voices);
    const { pixels, width, height } = pictureOf(values, shape, sounding, RELEASE.medium.lowest);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  },
  start: (canvas, beside) => {
    player = new Player(beside, RELEASE.words.one);
    link = element("a", { id: "explore-midi", class: "small", download: `generated-${RELEASE.words.one}.mid` }, "Save as MIDI");
    player.link.after(" · ", link);
  },
  settle: (values, asked, shape = RELEASE.shape, from = 0) => {
    const sounding = soundingIn(values, shape, RELEASE.medium.voices);
    const sound = asSound(sounding, RELEASE.medium);
    player.take(wavOf(sound, RELEASE.medium.rate), asked, (from * sound.length) / RELEASE.medium.rate);
    if (link.href) URL.revokeObjectURL(link.href);
    link.midi = midiOf(sounding, RELEASE.medium);
    link.href = URL.createObjectURL(new Blob([link.midi], { type: "audio/midi" }));
    return inNotes(sounding);
  },
  written: (values, shape) => {
    const [channels, steps, pitches] = shape;
    const sounding = soundingIn(values, shape, RELEASE.medium.voices).flat();
    return Float32Array.from({ length: channels * steps * pitches }, (_, place) => (sounding[place % sounding.length] ? 1 : -1));
  },
  inWords: (values, shape) => inNotes(soundingIn(values, shape, RELEASE.medium.voices)),
};
