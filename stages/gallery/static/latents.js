"use strict";
// Latents: drawn by a seed, turned, walked between, truncated. Nothing here knows of a page.

/**
 * What a generator starts from: noise, then a category as one-hot, then numbers on [-1,1].
 * @typedef {{size: number, distribution: string, categories: number, numbers: number}} Latents
 */

/**
 * Numbers in [0,1) that a seed decides (mulberry32); not those of torch, which has other streams.
 * @param {number} seed a whole number
 * @returns {() => number}
 */
const streamOf = (seed) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/**
 * Noise of a seed: standard normal (Box and Muller 1958), or uniform on [-1,1].
 * @param {Latents} latents
 * @param {number} seed
 * @returns {number[]} `size` numbers
 */
const noiseOf = ({ size, distribution }, seed) => {
  const random = streamOf(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: size }, distribution === "uniform" ? () => 2 * random() - 1 : normal);
};

const dot = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
const weighted = (a, left, b, right) => a.map((value, place) => left * value + right * b[place]);
const clipped = (values) => values.map((value) => Math.min(1, Math.max(-1, value)));

/**
 * From `a` to `b` by `amount` in [0,1]: normal noise on an arc (Shoemake 1985), as `mintage.latent_space.slerp`, since a
 * straight line passes through lengths that the generator never saw; uniform noise on a line.
 * @returns {number[]}
 */
const between = (a, b, amount, distribution) => {
  if (distribution === "uniform") return weighted(a, 1 - amount, b, amount);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  if (!(sine >= 1e-6)) return weighted(a, 1 - amount, b, amount);
  return weighted(a, Math.sin((1 - amount) * angle) / sine, b, Math.sin(amount * angle) / sine);
};

/** What of `direction` is at right angles to the others, as long as `length`. */
const perpendicular = (direction, others, length) => {
  const rest = others.reduce((left, other) => weighted(left, 1, other, -dot(left, other) / dot(other, other)), direction);
  const size = Math.sqrt(dot(rest, rest));
  return rest.map((value) => (value * length) / size);
};

const DIRECTIONS = [4211, 8623]; // seeds: the same two directions from any picture

/**
 * Noise moved along two fixed directions, `across` and `up` each on [-1,1]. Normal noise is turned, by a right angle at
 * 1, and so keeps its length; uniform noise goes straight, and stays on [-1,1].
 * @returns {number[]}
 */
const moved = (noise, across, up, latents) => {
  if (!across && !up) return noise;
  const [side, top] = DIRECTIONS.map((seed) => noiseOf(latents, seed));
  if (latents.distribution === "uniform" || noise.length < 3) {
    const straight = weighted(weighted(noise, 1, side, across), 1, top, up);
    return latents.distribution === "uniform" ? clipped(straight) : straight;
  }
  const length = Math.sqrt(dot(noise, noise));
  const first = perpendicular(side, [noise], length);
  const second = perpendicular(top, [noise, first], length);
  const [a, b] = [(across * Math.PI) / 2, (up * Math.PI) / 2];
  const turned = weighted(noise, Math.cos(a), first, Math.sin(a));
  return weighted(turned, Math.cos(b), second, Math.sin(b));
};

/** The share of the normal distribution below x: Numerical Recipes' erfc, right to seven digits. */
const shareBelow = (x) => {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + z / 2);
  const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277];
  const tail = (t * Math.exp(-z * z + terms.reduceRight((sum, term) => sum * t + term, 0))) / 2;
  return x < 0 ? tail : 1 - tail;
};

/** The inverse of `shareBelow`, by Newton's steps from a logistic guess. */
const rankAt = (share) => {
  let x = Math.log(share / (1 - share)) / 1.702;
  for (let step = 0; step < 30; step += 1) {
    const change = ((shareBelow(x) - share) * Math.sqrt(2 * Math.PI)) / Math.exp((-x * x) / 2);
    x -= Math.min(1, Math.max(-1, change));
    if (Math.abs(change) < 1e-9) break;
  }
  return x;
};

/**
 * Normal noise within `limit` of 0, each number at its rank in the distribution that is cut there (the truncation trick
 * of Brock et al. 2019), as `mintage.latent_space.truncated`.
 * @returns {number[]}
 */
const truncated = (noise, limit) => {
  const [low, high] = [shareBelow(-limit), shareBelow(limit)];
  return noise.map((value) => Math.min(limit, Math.max(-limit, rankAt(low + shareBelow(value) * (high - low)))));
};

if (typeof module !== "undefined") module.exports = { streamOf, noiseOf, between, moved, truncated };
