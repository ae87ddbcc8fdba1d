"use strict";
// Recordings of the visitor's own: read, brought to one channel and to the rate of a model. They stay in this browser.

const LOBES = 32; // as mintage/waves.py: zero crossings of the sinc on each side
const CUTOFF = 0.97; // of the lower of both Nyquist frequencies

/** A WAV file of whole numbers with its channels mixed into one, as `mintage.waves.decode_wav`; null of another file. */
const samplesOfWav = (bytes) => {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (place) => String.fromCharCode(...bytes.subarray(place, place + 4));
  if (bytes.length < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") return null;
  let form = null;
  for (let place = 12; place + 8 <= bytes.length; ) {
    const [length, begin] = [data.getUint32(place + 4, true), place + 8];
    if (name(place) === "fmt ") {
      form = { kind: data.getUint16(begin, true), channels: data.getUint16(begin + 2, true), rate: data.getUint32(begin + 4, true) };
      form.width = data.getUint16(begin + 14, true) / 8;
    }
    if (name(place) === "data") return wholeNumbers(form) ? { samples: mixedDown(data, begin, length, form), rate: form.rate } : null;
    place = begin + length + (length % 2);
  }
  return null;
};

const wholeNumbers = (form) => form?.kind === 1 && form.channels > 0 && form.rate > 0 && [1, 2, 3, 4].includes(form.width);

const mixedDown = (data, begin, length, { channels, width }) => {
  const there = Math.min(length, data.byteLength - begin);
  const read = {
    1: (place) => (data.getUint8(place) - 128) / 2 ** 7, // the only width without a sign
    2: (place) => data.getInt16(place, true) / 2 ** 15,
    3: (place) => ((data.getInt8(place + 2) << 16) | data.getUint16(place, true)) / 2 ** 23,
    4: (place) => data.getInt32(place, true) / 2 ** 31,
  }[width];
  return Float32Array.from({ length: Math.floor(there / (channels * width)) }, (_, moment) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += read(begin + (moment * channels + channel) * width);
    return sum / channels;
  });
};

const commonDivisor = (a, b) => (b ? commonDivisor(b, a % b) : a);

/** What each sample around counts, for a place so many parts of a step behind one. */
const filterOf = (behind, scale, reach) =>
  Float32Array.from({ length: 2 * reach + 1 }, (_, place) => {
    const x = (place - reach - behind) * scale;
    const inside = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, (Math.PI * x) / (2 * LOBES)));
    return scale * sinc(x) * Math.cos(inside) ** 2;
  });

/** Samples of one rate as those of another, as `mintage.waves.resample`. @param {Float32Array} samples */
const atRate = (samples, rate, wanted) => {
  if (rate === wanted) return samples;
  const divisor = commonDivisor(rate, wanted);
  const [every, phases] = [rate / divisor, wanted / divisor];
  const scale = CUTOFF * Math.min(1, phases / every);
  const reach = Math.ceil(LOBES / scale);
  const filters = new Map();
  return Float32Array.from({ length: Math.ceil((samples.length * phases) / every) }, (_, number) => {
    const [first, phase] = [Math.floor((number * every) / phases) - reach, (number * every) % phases];
    if (!filters.has(phase)) filters.set(phase, filterOf(phase / phases, scale, reach));
    const filter = filters.get(phase);
    let sum = 0;
    for (let place = Math.max(0, -first); place < filter.length && first + place < samples.length; place += 1) {
      sum += filter[place] * samples[first + place];
    }
    return sum;
  });
};

/**
 * A recording as samples in [-1,1], `rate` a second: WAV as Python reads it, any other format as the browser does.
 * @param {File} file @param {number} rate @returns {Promise<Float32Array>}
 */
const samplesOfRecording = async (file, rate) => {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const found = samplesOfWav(bytes) ?? (await decodedByBrowser(bytes, rate));
  if (!found.samples.length) throw new Error("it has no samples");
  return atRate(found.samples, found.rate, rate).map((value) => Math.max(-1, Math.min(1, value)));
};

const decodedByBrowser = async (bytes, rate) => {
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, channel) => decoded.getChannelData(channel));
  const samples = channels[0].map((_, moment) => channels.reduce((sum, one) => sum + one[moment], 0) / channels.length);
  return { samples, rate: decoded.sampleRate };
};
