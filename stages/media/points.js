"use strict";
// Points in a browser: in the plane as dots over the modes of the data, on a line as bars under the density of the data.

const SHOWN = { large: 480, small: 64 }; // pixels
const COLORS = { paper: "#fff", made: "#0a7355", real: "#1c2421" };
const BARS = 60;
const HIGH_QUALITY = 3; // standard deviations, as mintage/metrics/modes.py

/** Points `[N,1,1,D]` in [-1,1] in their own units. @returns {number[][]} `[N][D]` */
const coordinatesOf = (values, dimensions, scale) =>
  Array.from({ length: values.length / dimensions }, (_, point) =>
    Array.from({ length: dimensions }, (_, axis) => values[point * dimensions + axis] * scale));

/** How many modes have a point within three standard deviations, and the share of points that are so near to one. */
const modeFigures = (points, { centres: centers, std }) => {
  const captured = new Set();
  let good = 0;
  for (const point of points) {
    const distances = centers.map((center) => Math.hypot(...center.map((one, axis) => one - point[axis])));
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest] > HIGH_QUALITY * std) continue;
    captured.add(nearest);
    good += 1;
  }
  return { captured: captured.size, share: good / points.length };
};

const disk = (context, x, y, radius, filled) => {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  if (filled) context.fill();
  else context.stroke();
};

/** Dots over a circle at each center, which shows where it is, not how wide. */
const drawPlane = (context, points, { centres: centers, scale }, side) => {
  const place = ([x, y]) => [(side * (x / scale + 1)) / 2, (side * (1 - y / scale)) / 2];
  context.strokeStyle = COLORS.real;
  context.fillStyle = COLORS.made;
  for (const center of centers) disk(context, ...place(center), side / 60, false);
  context.globalAlpha = 0.5;
  for (const point of points) disk(context, ...place(point), Math.max(1, side / 240), true);
  context.globalAlpha = 1;
};

/** Bars of how many points lie where, and the density of the data as a line, from five standard deviations on. */
const drawLine = (context, points, { centres: centers, std }, side) => {
  const ends = [Math.min(...centers.flat()) - 5 * std, Math.max(...centers.flat()) + 5 * std];
  const width = (ends[1] - ends[0]) / BARS;
  const counts = new Array(BARS).fill(0);
  for (const [x] of points) counts[Math.max(0, Math.min(BARS - 1, Math.floor((x - ends[0]) / width)))] += 1;
  const bell = (x, center) => Math.exp(-(((x - center) / std) ** 2) / 2) / (std * Math.sqrt(2 * Math.PI));
  const density = (x) => centers.reduce((sum, [center]) => sum + bell(x, center), 0) / centers.length;
  const heights = counts.map((count) => count / points.length / width);
  const curve = Array.from({ length: side }, (_, pixel) => density(ends[0] + ((pixel + 0.5) / side) * (ends[1] - ends[0])));
  const scale = (0.95 * side) / Math.max(...heights, ...curve);
  context.fillStyle = COLORS.made;
  heights.forEach((height, bar) => context.fillRect((bar * side) / BARS, side - height * scale, side / BARS, height * scale));
  context.strokeStyle = COLORS.real;
  context.setLineDash([side / 120, side / 120]);
  context.beginPath();
  curve.forEach((height, pixel) => context.lineTo(pixel, side - height * scale));
  context.stroke();
};

const VIEW = {
  many: 500,
  hint: "Green is what the generator made; circles, or the dotted line, show where the data are.",
  drag: "Drag to move all noise alike.",
  draw: (canvas, values, shape, large) => {
    const side = large ? SHOWN.large : SHOWN.small;
    [canvas.width, canvas.height] = [side, side];
    const context = canvas.getContext("2d");
    context.fillStyle = COLORS.paper;
    context.fillRect(0, 0, side, side);
    const points = coordinatesOf(values, shape[2], RELEASE.medium.scale);
    (shape[2] === 1 ? drawLine : drawPlane)(context, points, RELEASE.medium, side);
  },
  settle: (values) => {
    const points = coordinatesOf(values, RELEASE.shape[2], RELEASE.medium.scale);
    const { captured, share } = modeFigures(points, RELEASE.medium);
    const modes = RELEASE.medium.centres.length;
    return `${VIEW.many} of them, ${captured} of ${modes} modes reached, ${(100 * share).toFixed(1)}% within 3 std of one`;
  },
};
