"use strict";
// Clips of the visitor's own: the frames of a moving picture, or several pictures. They stay in this browser.

const MOST_OF_A_CLIP = 16; // its last ones: a row has room for those that follow

/** The last frames of a file, as planes `[C,H,W]` of a model's size; one where it is a still, or the browser shows no more. */
const framesOfFile = async (file, shape) => {
  const type = file.type === "image/apng" ? "image/png" : file.type;
  if (typeof ImageDecoder === "undefined" || !(await ImageDecoder.isTypeSupported(type))) return [await planesOfPicture(file, shape)];
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type });
  await Promise.all([decoder.tracks.ready, decoder.completed]);
  const { frameCount } = decoder.tracks.selectedTrack;
  const frames = [];
  for (let frameIndex = Math.max(0, frameCount - MOST_OF_A_CLIP); frameIndex < frameCount; frameIndex += 1) {
    const { image } = await decoder.decode({ frameIndex });
    frames.push(await planesOfPicture(image, shape));
    image.close();
  }
  decoder.close();
  return frames;
};

/** A clip, or its frames in the order of their names: chosen, or dropped on the section; `begin` is given their values. */
const takesClips = (form, release, begin) => {
  const open = async (files) => {
    if (!files.length) return;
    const inTurn = [...files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    let frames = [];
    try {
      for (const file of inTurn) frames.push(...(await framesOfFile(file, release.shape)));
    } catch {
      return say("This browser cannot read that clip: try a GIF, or its frames as several pictures.");
    }
    const still = frames.length === 1 ? "This browser sees one frame in it; of a clip, choose the frames as several pictures. " : "";
    frames = frames.slice(-MOST_OF_A_CLIP).map((planes) => valuesOf(planes));
    await begin(frames, still);
  };
  form.elements.own.addEventListener("change", (event) => doing(open(event.target.files)));
  $("explore").addEventListener("dragover", (event) => event.preventDefault());
  $("explore").addEventListener("drop", (event) => {
    event.preventDefault();
    doing(open(event.dataTransfer.files));
  });
};
