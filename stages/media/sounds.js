"use strict";
// Sounds in a browser: seen as a wave over a spectrogram, and heard.

const WINDOW = 256; // as mintage/sounds.py: samples that a column sees, and places of the transform
const FINE = 2 * WINDOW;
const QUIETEST = -80; // decibels: black
const BANDS = 64; // as stages/media/sounds.py
const hopOf = (length) => Math.max(64, Math.ceil(length / 128));

/** For each band the first frequency that counts, and the weights from there on: triangles of equal width in mel. */
const melBands = (rate) => {
  const highest = 2595 * Math.log10(1 + rate / 2 / 700);
  const centers = Array.from({ length: BANDS + 2 }, (_, place) => 700 * (10 ** ((highest * place) / (BANDS + 1) / 2595) - 1));
  const step = rate / FINE;
  return Array.from({ length: BANDS }, (_, band) => {
    const [center, reach] = [centers[band + 1], Math.max(step, centers[band + 1] - centers[band])];
    const first = Math.max(0, Math.ceil((center - reach) / step));
    const last = Math.min(FINE / 2, Math.floor((center + reach) / step));
    const weights = Array.from({ length: last - first + 1 }, (_, place) => 1 - Math.abs((first + place) * step - center) / reach);
    const sum = weights.reduce((total, one) => total + one, 0);
    return { first, weights: weights.map((one) => one / sum) };
  });
};

/** Powers of the frequencies 0 to FINE / 2 of real numbers (Cooley and Tukey 1965). @param {Float64Array} real */
const powersOf = (real) => {
  const imaginary = new Float64Array(FINE);
  for (let place = 1, other = 0; place < FINE; place += 1) {
    let bit = FINE >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (place < other) [real[place], real[other]] = [real[other], real[place]];
  }
  for (let size = 2; size <= FINE; size *= 2) {
    for (let step = 0; step < size / 2; step += 1) {
      const [cosine, sine] = [Math.cos((-2 * Math.PI * step) / size), Math.sin((-2 * Math.PI * step) / size)];
      for (let one = step; one < FINE; one += size) {
        const two = one + size / 2;
        const [x, y] = [real[two] * cosine - imaginary[two] * sine, real[two] * sine + imaginary[two] * cosine];
        [real[two], imaginary[two]] = [real[one] - x, imaginary[one] - y];
        [real[one], imaginary[one]] = [real[one] + x, imaginary[one] + y];
      }
    }
  }
  return Array.from({ length: FINE / 2 + 1 }, (_, place) => real[place] ** 2 + imaginary[place] ** 2);
};

/** A sound `[C,T]` as its channels. @param {Float32Array} sound @param {number} channels */
const channelsOf = (sound, channels) => {
  const length = sound.length / channels;
  return Array.from({ length: channels }, (_, channel) => sound.subarray(channel * length, (channel + 1) * length));
};

/**
 * How loud each band is over time, as `mintage.sounds.spectrograms`: levels in [0,255], rows of columns, low tones last.
 * @param {Float32Array[]} channels of a sound, heard together @param {number} rate samples a second
 * @returns {{levels: Uint8ClampedArray, columns: number}}
 */
const spectrogramOf = (channels, rate) => {
  const [sound] = channels;
  const hop = hopOf(sound.length);
  const columns = Math.ceil(sound.length / hop);
  const before = Math.floor((WINDOW - hop) / 2); // below 0 where columns are further apart than a window is wide
  const window = Array.from({ length: WINDOW }, (_, place) => 0.5 - 0.5 * Math.cos((2 * Math.PI * place) / WINDOW));
  const full = (WINDOW / 4) ** 2; // the power of a sine that fills the range: half the window's sum, squared
  const bands = melBands(rate);
  const levels = new Uint8ClampedArray(BANDS * columns);
  for (let column = 0; column < columns; column += 1) {
    const powers = channels.map((one) => {
      const framed = new Float64Array(FINE);
      for (let place = 0; place < WINDOW; place += 1) framed[place] = window[place] * (one[column * hop - before + place] ?? 0);
      return powersOf(framed);
    });
    bands.forEach(({ first, weights }, band) => {
      const of = (one) => weights.reduce((sum, weight, place) => sum + weight * one[first + place], 0);
      const power = powers.reduce((sum, one) => sum + of(one), 0) / channels.length / full;
      const decibels = Math.max(QUIETEST, Math.min(0, 10 * Math.log10(Math.max(power, 1e-12))));
      levels[(BANDS - 1 - band) * columns + column] = 255 * (1 - decibels / QUIETEST);
    });
  }
  return { levels, columns };
};

const WAVE = { wide: 512, high: 96, color: "#2fae8a", middle: "#555" }; // in pixels, above the spectrogram

/** The lowest and the highest sample under each pixel, and the one behind them, so that it is one line. */
const drawWave = (context, sound, width, top, high) => {
  context.fillStyle = WAVE.middle;
  context.fillRect(0, top + high / 2, width, 1);
  context.fillStyle = WAVE.color;
  for (let x = 0; x < width; x += 1) {
    const [from, to] = [Math.floor((x * sound.length) / width), Math.ceil(((x + 1) * sound.length) / width) + 1];
    let [low, peak] = [Infinity, -Infinity];
    for (let place = from; place < Math.min(to, sound.length); place += 1) [low, peak] = [Math.min(low, sound[place]), Math.max(peak, sound[place])];
    const y = top + ((1 - peak) * (high - 1)) / 2;
    context.fillRect(x, y, 1, Math.max(1, ((peak - low) * (high - 1)) / 2));
  }
};

/** The spectrogram below the wave, each of its places so many pixels. */
const drawSpectrogram = (context, { levels, columns }, [across, down], top) => {
  levels.forEach((level, place) => {
    context.fillStyle = `rgb(${level} ${level} ${level})`;
    context.fillRect((place % columns) * across, top + Math.floor(place / columns) * down, across, down);
  });
};

let player = null;

const VIEW = {
  hint: "Time runs to the right: above the wave of each channel, below how loud each tone is, low tones at the bottom.",
  drag: "Drag to move.",
  read: (file) => samplesOfRecording(file, RELEASE.medium.rate),
  play: (sound, shape, generated) => wavOf(sound, RELEASE.medium.rate, generated, shape[0]),
  draw: (canvas, sound, shape, large) => {
    const context = canvas.getContext("2d");
    const channels = channelsOf(sound, shape[0]);
    const spectrogram = large ? spectrogramOf(channels, RELEASE.medium.rate) : null;
    const across = large ? Math.max(4, Math.round(WAVE.wide / spectrogram.columns)) : 0;
    [canvas.width, canvas.height] = large ? [across * spectrogram.columns, WAVE.high + 2 * BANDS] : [96, 48];
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const high = (large ? WAVE.high : canvas.height) / channels.length;
    channels.forEach((one, channel) => drawWave(context, one, canvas.width, channel * high, high));
    if (large) drawSpectrogram(context, spectrogram, [across, 2], WAVE.high);
  },
  start: (picture, beside) => {
    player = new Player(beside, RELEASE.words.one);
  },
  settle: (sound, asked) => {
    const [channels] = RELEASE.shape;
    player.take(wavOf(sound, RELEASE.medium.rate, true, channels), asked);
    return `${(sound.length / channels / RELEASE.medium.rate).toFixed(2)} seconds`;
  },
};

if (typeof module !== "undefined") module.exports = { spectrogramOf };
