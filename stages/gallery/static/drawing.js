"use strict";
// A canvas of few pixels that is drawn on: by a pointer, by keys, or by a picture that takes its place.

/** What is drawn, and what of it is missing where the generator fills holes. */
class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{shape: [number, number, number], fills: boolean, white: boolean}} source
   * @param {{color: () => number[], width: () => number, missing: () => boolean | null}} pen `missing`: makes holes, mends
   *   them, or null: draws
   * @param {() => void} changed called at every change
   */
  constructor(canvas, source, pen, changed) {
    Object.assign(this, { canvas, source, pen, changed });
    const [channels, height, width] = source.shape;
    this.levels = new Float32Array(channels * height * width);
    this.missing = new Uint8Array(height * width);
    this.place = [Math.floor(width / 2), Math.floor(height / 2)];
    this.clear();
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (this.from = null));
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("blur", () => this.#show());
    canvas.addEventListener("focus", () => this.#show());
  }

  /** Empty paper, without holes. */
  clear() {
    this.levels.fill(this.source.white ? 255 : 0);
    this.missing.fill(0);
    this.#show();
  }

  /** @param {ArrayLike<number>} levels `[S,H,W]` in [0,255] */
  set(levels) {
    this.levels.set(levels);
    this.#show();
  }

  /** A hole of half the height and width, in the middle, as training has them elsewhere. */
  cut() {
    const [, height, width] = this.source.shape;
    const [high, wide] = [Math.ceil(height / 2), Math.ceil(width / 2)];
    const [top, left] = [Math.floor((height - high) / 2), Math.floor((width - wide) / 2)];
    for (let y = top; y < top + high; y += 1) this.missing.fill(1, y * width + left, y * width + left + wide);
    this.#show();
  }

  /** What the generator is given: values `[S,H,W]` in [-1,1], a gray hole and behind it the mask, where it fills some. */
  values() {
    const size = this.missing.length;
    const values = valuesOf(this.#seen());
    if (!this.source.fills) return values;
    return Float32Array.from([...values, ...Array.from(this.missing, (one) => (one ? 1 : -1))]);
  }

  #seen() {
    const size = this.missing.length;
    return Uint8ClampedArray.from(this.levels, (level, place) => (this.missing[place % size] ? 128 : level));
  }

  #show() {
    const [, height, width] = this.source.shape;
    [this.canvas.width, this.canvas.height] = [width, height];
    const pixels = pixelsOf(this.#seen(), this.source.shape);
    if (this.byKeys && document.activeElement === this.canvas) {
      const at = 4 * (this.place[1] * width + this.place[0]); // where the pen is, in a color that no paper has
      pixels.set([230, 60, 120], at);
    }
    this.canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  }

  /** A stroke between two points, in pixels: what lies within half its width takes its color, with a soft edge. */
  stroke([x0, y0], [x1, y1]) {
    const [channels, height, width] = this.source.shape;
    const [color, radius, missing] = [this.pen.color(), this.pen.width() / 2, this.pen.missing()];
    const squared = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const along = squared ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / squared)) : 0;
        const away = Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
        const covered = Math.max(0, Math.min(1, radius + 0.5 - away));
        const place = y * width + x;
        if (missing !== null && covered > 0.5) this.missing[place] = Number(missing);
        else if (missing === null) this.#mix(place, color, covered, channels);
      }
    }
    this.#show();
    this.changed();
  }

  #mix(place, color, covered, channels) {
    for (let channel = 0; channel < channels; channel += 1) {
      const at = channel * this.missing.length + place;
      this.levels[at] += covered * (color[channel] - this.levels[at]);
    }
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [, height, width] = this.source.shape;
    return [((event.clientX - box.left) / box.width) * width - 0.5, ((event.clientY - box.top) / box.height) * height - 0.5];
  }

  #begin(event) {
    this.byKeys = false;
    this.canvas.setPointerCapture(event.pointerId);
    this.from = this.#point(event);
    this.stroke(this.from, this.from);
  }

  #go(event) {
    if (!this.from) return;
    const to = this.#point(event);
    this.stroke(this.from, to);
    this.from = to;
  }

  /** Arrows move the pen, and draw while Shift is held; the space bar sets a point. */
  #press(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    this.byKeys = true;
    const [, height, width] = this.source.shape;
    const before = this.place;
    this.place = [
      Math.max(0, Math.min(width - 1, before[0] + step[0])),
      Math.max(0, Math.min(height - 1, before[1] + step[1])),
    ];
    if (event.shiftKey || event.key === " ") this.stroke(before, this.place);
    else this.#show();
  }
}
