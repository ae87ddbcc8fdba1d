"use strict";
// Volumes in a browser: lit by their slope, as mintage/volumes.py shows them, and turned by a pointer or by keys.

const TOWARDS_LIGHT = [0.45, 0.7, 0.55]; // right, up, to the front
const AMBIENT = 0.25;
const START = { azimuth: 35, elevation: 25, threshold: 0 }; // degrees; what is above the threshold is occupied
const STEP = 0.5; // cells along a ray
const SIDES = { large: 192, small: 48 }; // pixels
const KEYS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }; // degrees

/** What `change` makes of each cell and its neighbors before and after it along an axis; undefined is outside. */
const alongAxis = (cells, stride, length, change) => {
  const made = new Float32Array(cells.length);
  const reach = stride * length;
  for (let place = 0; place < cells.length; place += 1) {
    const at = place % reach;
    const before = at >= stride ? cells[place - stride] : undefined;
    const after = at < reach - stride ? cells[place + stride] : undefined;
    made[place] = change(before, cells[place], after);
  }
  return made;
};
const meanOf = (before, cell, after) => ((before ?? 0) + cell + (after ?? 0)) / 3;
const slopeOf = (before, cell, after) =>
  ((after ?? cell) - (before ?? cell)) / (before === undefined || after === undefined ? 1 : 2);

/**
 * What is occupied of a volume `[C,D,H,W]`, in a frame of empty cells, and how bright its surface is at each of them.
 * @param {Float32Array} values in [-1,1] @param {number[]} shape @param {number} threshold
 */
const solidOf = (values, [channels, ...sides], threshold) => {
  const size = sides.map((side) => side + 2);
  const strides = [size[1] * size[2], size[2], 1];
  const occupied = new Uint8Array(size[0] * strides[0]);
  const count = sides[0] * sides[1] * sides[2];
  for (let place = 0; place < count * channels; place += 1) {
    if (values[place] <= threshold) continue;
    const cell = place % count;
    const [up, front, right] = [Math.floor(cell / (sides[1] * sides[2])), Math.floor(cell / sides[2]) % sides[1], cell % sides[2]];
    occupied[(up + 1) * strides[0] + (front + 1) * strides[1] + right + 1] = 1;
  }
  const smoothed = (cells) => strides.reduce((found, stride, axis) => alongAxis(found, stride, size[axis], meanOf), cells);
  const smooth = smoothed(smoothed(Float32Array.from(occupied)));
  const [up, front, right] = strides.map((stride, axis) => alongAxis(smooth, stride, size[axis], slopeOf));
  const strength = Math.hypot(...TOWARDS_LIGHT);
  const light = smooth.map((_, place) => {
    if (!occupied[place]) return 0;
    const towards = -(right[place] * TOWARDS_LIGHT[0] + up[place] * TOWARDS_LIGHT[1] + front[place] * TOWARDS_LIGHT[2]);
    const slope = Math.max(1e-6, Math.sqrt(right[place] ** 2 + up[place] ** 2 + front[place] ** 2));
    return AMBIENT + (0.9 - AMBIENT) * Math.max(0, towards / strength / slope);
  });
  return { size, strides, occupied, light, cells: occupied.reduce((sum, one) => sum + one, 0) };
};

/** The first step at which what begins at `from` and goes on by `by` is within 0 and `size`; Infinity where none is. */
const stepInto = (from, by, size) => {
  if (from >= 0 && from < size) return 0;
  const steps = Math.ceil((by > 0 ? -from : size - from) / by + 1e-9);
  return by !== 0 && steps >= 0 ? steps : Infinity;
};

/**
 * Levels `[side,side]` of what parallel rays meet, white where they meet nothing; as `mintage.volumes.shaded_views`.
 * @returns {Uint8ClampedArray}
 */
const seenFrom = ({ size, strides, occupied, light }, side, azimuth, elevation) => {
  const [turned, raised] = [azimuth, elevation].map((degrees) => (degrees * Math.PI) / 180);
  const towards = [Math.sin(turned) * Math.cos(raised), Math.sin(raised), Math.cos(turned) * Math.cos(raised)];
  const right = [Math.cos(turned), 0, -Math.sin(turned)];
  const up = [towards[1] * right[2] - towards[2] * right[1], towards[2] * right[0] - towards[0] * right[2], towards[0] * right[1] - towards[1] * right[0]];
  const reach = (Math.sqrt(3) * Math.max(...size)) / 2;
  const across = (pixel) => 0.8 * reach * ((2 * pixel) / (side - 1) - 1);
  const inCells = ([x, y, z]) => [y, z, x]; // directions are by right, up and front, cells by up, front and right
  const [ahead, sideways, upwards] = [towards, right, up].map(inCells);
  const [da, db, dc] = ahead.map((one) => -STEP * one);
  const levels = new Uint8ClampedArray(side * side).fill(255);
  for (let pixel = 0; pixel < side * side; pixel += 1) {
    const [x, y] = [across(pixel % side), -across(Math.floor(pixel / side))];
    let a = x * sideways[0] + y * upwards[0] + reach * ahead[0] + size[0] / 2;
    let b = x * sideways[1] + y * upwards[1] + reach * ahead[1] + size[1] / 2;
    let c = x * sideways[2] + y * upwards[2] + reach * ahead[2] + size[2] / 2;
    const enters = Math.max(stepInto(a, da, size[0]), stepInto(b, db, size[1]), stepInto(c, dc, size[2]), 0);
    if (enters === Infinity) continue;
    [a, b, c] = [a + enters * da, b + enters * db, c + enters * dc];
    while (a >= 0 && b >= 0 && c >= 0 && a < size[0] && b < size[1] && c < size[2]) {
      const cell = Math.floor(a) * strides[0] + Math.floor(b) * strides[1] + Math.floor(c);
      if (occupied[cell]) {
        levels[pixel] = 255 * light[cell];
        break;
      }
      [a, b, c] = [a + da, b + db, c + dc];
    }
  }
  return levels;
};

const seen = { ...START };
let large = null; // what the large one shows: its canvas, its values and its solid

const drawSolid = (canvas, solid, side) => {
  [canvas.width, canvas.height] = [side, side];
  const levels = seenFrom(solid, side, seen.azimuth, seen.elevation);
  canvas.getContext("2d").putImageData(new ImageData(pixelsOf(levels, [1, side, side]), side, side), 0, 0);
};

const turn = (degrees, up) => {
  seen.azimuth = (seen.azimuth + degrees) % 360;
  seen.elevation = Math.max(-90, Math.min(90, seen.elevation + up));
  if (large) drawSolid(large.canvas, large.solid, SIDES.large);
};

const turnsByPointer = (canvas) => {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const scale = 180 / canvas.getBoundingClientRect().width;
    turn((from[0] - event.clientX) * scale, (event.clientY - from[1]) * scale);
    from = [event.clientX, event.clientY];
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (from = null));
};

const VIEW = {
  turns: true,
  hint: "Drag on the volume, or press the arrow keys on it, to turn it.",
  draw: (canvas, values, shape, isLarge) => {
    const solid = solidOf(values, shape, seen.threshold);
    if (isLarge) large = { canvas, values: values.slice(), shape, solid };
    drawSolid(canvas, solid, isLarge ? SIDES.large : SIDES.small);
  },
  start: (canvas, beside) => {
    Object.assign(canvas, { tabIndex: 0, role: "application" });
    canvas.style.touchAction = "none";
    turnsByPointer(canvas);
    canvas.addEventListener("keydown", (event) => {
      if (!KEYS[event.key]) return;
      event.preventDefault();
      turn(...KEYS[event.key]);
    });
    const slider = element("input", { type: "range", id: "explore-threshold", min: -0.9, max: 0.9, step: 0.05, value: 0 });
    const shown = element("output", { for: "explore-threshold", class: "quiet" }, "0");
    const label = element("label", { for: "explore-threshold", class: "small" }, "Occupied is what is above ", shown);
    slider.addEventListener("input", () => {
      seen.threshold = Number(slider.value);
      shown.textContent = slider.value;
      VIEW.draw(canvas, large.values, large.shape, true);
      say(`${VIEW.settle()}.`);
    });
    const front = element("button", { type: "button" }, "As at first");
    front.addEventListener("click", () => turn(START.azimuth - seen.azimuth, START.elevation - seen.elevation));
    beside.append(label, slider, element("div", {}, front));
  },
  settle: () => `${large.solid.cells} of ${large.values.length / large.shape[0]} cells are occupied`,
};

if (typeof module !== "undefined") module.exports = { solidOf, seenFrom };
