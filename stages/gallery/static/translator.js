"use strict";
// A generator that makes pictures of pictures: of drawings, of examples, of the visitor's own.

/** Bind the form of a translator; `engines` are by the names of `release.generators`. Returns what draws the picture. */
const startTranslator = (release, engines) => {
  const form = $("explore-form");
  const picture = $("explore-picture");
  const { source } = release;
  const engine = () => engines[form.elements.way?.value ?? "generator"];
  const pen = {
    color: () => colorOf(form.elements.erase.checked ? paperOf(source) : form.elements.color.value, source.shape[0]),
    width: () => Number(form.elements.width.value),
    missing: () => ({ hole: true, mend: false })[form.elements.tool?.value] ?? null,
  };
  const update = newest(async () => {
    showValues(form);
    const latents = noiseOf(release.latents, Math.trunc(Number(form.elements.seed?.value ?? 0)));
    const attributes = Float32Array.from(attributesOf(form, release.attributes));
    const feeds = { sources: drawing.values(), latents: Float32Array.from(latents), attributes };
    const { values, milliseconds } = await engine().make(feeds, 1);
    draw(picture, values, release.shape);
    picture.dataset.milliseconds = milliseconds.toFixed(2);
  });
  const settle = () => doing(settled());
  const settled = async () => {
    await update();
    say(`Made in ${Number(picture.dataset.milliseconds).toFixed(1)} ms.`);
  };
  const drawing = new Drawing($("explore-source"), source, pen, () => doing(update()));
  const take = (planes) => {
    drawing.set(planes);
    return settle();
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => doing(update()));
  form.addEventListener("change", settle);
  $("explore-clear").addEventListener("click", () => {
    drawing.clear();
    settle();
  });
  takesPictures(form, drawing, take);
  const showExamples = showsExamples(release, form, take, settle);
  if (source.fills) drawing.cut();
  return { drawing, update: showExamples, settle };
};

const paperOf = ({ white }) => (white ? "#ffffff" : "#000000");

/** The levels of a color as `#rrggbb`, or of its luminance. */
const colorOf = (text, channels) => {
  const parts = [1, 3, 5].map((place) => parseInt(text.slice(place, place + 2), 16));
  return [...planesOf([...parts, 255], channels)];
};

/** A picture of the visitor's own: chosen, or dropped on the drawing. It stays in this browser. */
const takesPictures = (form, drawing, take) => {
  const open = async (file) => {
    if (!file) return;
    try {
      await take(await planesOfPicture(file, drawing.source.shape));
    } catch {
      say("This browser cannot read that picture: try a PNG or a JPEG.");
    }
  };
  form.elements.own.addEventListener("change", (event) => {
    event.stopPropagation();
    doing(open(event.target.files[0]));
  });
  const area = $("explore");
  area.addEventListener("dragover", (event) => event.preventDefault());
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    doing(open(event.dataTransfer.files[0]));
  });
};

/** Buttons of the pictures that the release shows as sources; returns what takes the first of the chosen direction. */
const showsExamples = (release, form, take, settle) => {
  const strips = { generator: release.strips.sources, back: release.strips.sources_back };
  const show = async () => {
    const strip = strips[form.elements.way?.value ?? "generator"];
    const pictures = strip ? await picturesOfStrip(strip, release.source.shape) : [];
    const buttons = pictures.map((planes, number) => {
      const canvas = labeledCanvas(`Example ${number + 1}`);
      draw(canvas, valuesOf(planes), release.source.shape);
      const button = element("button", { type: "button", class: "thumbnail" }, canvas);
      button.addEventListener("click", () => take(planes));
      return button;
    });
    $("explore-examples").replaceChildren(...buttons);
    if (pictures.length) await take(pictures[0]);
    else await settle();
  };
  form.elements.way?.addEventListener("change", () => doing(show()));
  return show;
};
