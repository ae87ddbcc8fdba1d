"use strict";
// Pictures as numbers: pixels in [-1,1] and 8-bit levels, and a picture of any size brought to a model's.

/**
 * Values in [-1,1] as levels in [0,255], halves to even, as stages/common/levels.py rounds them.
 * @param {Float32Array} values
 * @returns {Uint8ClampedArray}
 */
const levelsOf = (values) => {
  // Such an array rounds halves to even by itself, and clips.
  return Uint8ClampedArray.from(values, (value) => Math.fround(Math.fround(value + 1) * 127.5));
};

/**
 * Levels as values: 0 is -1 and 255 is 1, exactly.
 * @param {ArrayLike<number>} levels
 * @returns {Float32Array}
 */
const valuesOf = (levels) => Float32Array.from(levels, (level) => Math.fround(level / 127.5) - 1);

/**
 * Red, green, blue and alpha of a canvas as planes `[C,H,W]`: three colors, or gray by their luminance (ITU-R BT.601, as
 * Pillow rounds it).
 * @param {ArrayLike<number>} pixels
 * @param {number} channels 1 or 3
 * @returns {Uint8ClampedArray}
 */
const planesOf = (pixels, channels) => {
  const size = pixels.length / 4;
  const planes = new Uint8ClampedArray(size * channels);
  for (let place = 0; place < size; place += 1) {
    const [red, green, blue] = [pixels[4 * place], pixels[4 * place + 1], pixels[4 * place + 2]];
    if (channels === 1) planes[place] = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16;
    else [planes[place], planes[size + place], planes[2 * size + place]] = [red, green, blue];
  }
  return planes;
};

/** Planes `[C,H,W]`, from some place on, as pixels of a canvas: the inverse of `planesOf`. */
const pixelsOf = (levels, [channels, height, width], start = 0) => {
  const size = height * width;
  const pixels = new Uint8ClampedArray(4 * size).fill(255);
  for (let place = 0; place < size; place += 1) {
    for (let color = 0; color < 3; color += 1) {
      pixels[4 * place + color] = levels[start + (channels === 1 ? 0 : color * size) + place];
    }
  }
  return pixels;
};

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const FILTERS = {
  lanczos: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
  bicubic: {
    reach: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    },
  },
};

/** For each of `size` new pixels the first old one that counts, and the weights from there on; as Pillow has them. */
const weightsFor = (extent, size, length, { reach, weight }) => {
  const scale = extent / size;
  const wide = Math.max(scale, 1);
  return Array.from({ length: size }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach * wide + 0.5));
    const last = Math.min(length, Math.trunc(center + reach * wide + 0.5));
    const weights = Array.from({ length: last - first }, (_, x) => weight((x + first - center + 0.5) / wide));
    const sum = weights.reduce((total, one) => total + one, 0);
    return { first, weights: weights.map((one) => one / sum) };
  });
};

/** A plane brought to another width: rows are long stretches of levels, rounded once. */
const widened = (plane, width, height, weights) => {
  const made = new Uint8ClampedArray(weights.length * height);
  for (let row = 0; row < height; row += 1) {
    weights.forEach(({ first, weights: shares }, place) => {
      let sum = 0;
      for (let x = 0; x < shares.length; x += 1) sum += shares[x] * plane[row * width + first + x];
      made[row * weights.length + place] = Math.floor(sum + 0.5);
    });
  }
  return made;
};

const transposed = (plane, width, height) => {
  const turned = new Uint8ClampedArray(plane.length);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) turned[column * height + row] = plane[row * width + column];
  }
  return turned;
};

/** Means of whole blocks, before a filter that would have to weigh very many pixels. */
const averaged = (plane, width, height, across, down) => {
  const [few, low] = [Math.ceil(width / across), Math.ceil(height / down)];
  const made = new Uint8ClampedArray(few * low);
  for (let row = 0; row < low; row += 1) {
    for (let column = 0; column < few; column += 1) {
      const [right, bottom] = [Math.min(width, (column + 1) * across), Math.min(height, (row + 1) * down)];
      let sum = 0;
      for (let y = row * down; y < bottom; y += 1) for (let x = column * across; x < right; x += 1) sum += plane[y * width + x];
      const count = (right - column * across) * (bottom - row * down);
      made[row * few + column] = Math.floor(sum / count + 0.5);
    }
  }
  return made;
};

const GAP = 4; // as stages/images/fit.py: what shrinks further than so many times is averaged first

const resampled = (plane, [width, height], [to, high], filter, gap) => {
  if (width === to && height === high) return plane;
  const across = Math.max(1, Math.trunc(width / to / gap));
  const down = Math.max(1, Math.trunc(height / high / gap));
  const small = across > 1 || down > 1 ? averaged(plane, width, height, across, down) : plane;
  const [few, low] = [Math.ceil(width / across), Math.ceil(height / down)];
  const rows = to === few && across === 1 ? small : widened(small, few, low, weightsFor(width / across, to, few, filter));
  if (high === low && down === 1) return rows;
  const columns = weightsFor(height / down, high, low, filter);
  return transposed(widened(transposed(rows, to, low), low, to, columns), high, to);
};

/**
 * A picture's planes at another size, as `--fit resize` of stages/translate.py has it: what shrinks is weighed over all
 * pixels under a new one (Lanczos), what grows is bicubic.
 * @param {Uint8ClampedArray} planes `[C,H,W]`
 * @param {[number, number]} from width and height
 * @param {[number, number]} to width and height
 * @returns {Uint8ClampedArray}
 */
const resized = (planes, from, to) => {
  const small = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
  const size = from[0] * from[1];
  const made = new Uint8ClampedArray((planes.length / size) * to[0] * to[1]);
  for (let plane = 0; plane * size < planes.length; plane += 1) {
    const one = planes.subarray(plane * size, (plane + 1) * size);
    const shrunk = resampled(one, from, small, FILTERS.lanczos, GAP);
    made.set(resampled(shrunk, small, to, FILTERS.bicubic, Infinity), plane * to[0] * to[1]);
  }
  return made;
};

/**
 * Draw image `index` of values `[N,C,H,W]` on a canvas, which takes its size.
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} values
 * @param {[number, number, number]} shape
 */
const draw = (canvas, values, shape, index = 0) => {
  const [channels, height, width] = shape;
  const size = channels * height * width;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const levels = levelsOf(values.subarray(index * size, (index + 1) * size));
  canvas.getContext("2d").putImageData(new ImageData(pixelsOf(levels, shape), width, height), 0, 0);
};

/**
 * A picture that a browser can decode, as planes of a model's size.
 * @param {ImageBitmapSource | HTMLImageElement} picture
 * @param {[number, number, number]} shape
 * @returns {Promise<Uint8ClampedArray>}
 */
const planesOfPicture = async (picture, [channels, height, width]) => {
  const bitmap = await createImageBitmap(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // under what is transparent
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return resized(planesOf(data, channels), [bitmap.width, bitmap.height], [width, height]);
};

/**
 * The pictures of a strip: as many as `width` goes into it, each as planes `[C,H,W]`.
 * @param {string} uri
 * @param {[number, number, number]} shape
 * @returns {Promise<Uint8ClampedArray[]>}
 */
const picturesOfStrip = async (uri, [channels, height, width]) => {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return Array.from({ length: image.width / width }, (_, number) =>
    planesOf(context.getImageData(number * width, 0, width, height).data, channels));
};

if (typeof module !== "undefined") module.exports = { levelsOf, valuesOf, planesOf, pixelsOf, resized };
