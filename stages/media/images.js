"use strict";
// Pictures in a browser: as they are.

const VIEW = {
  drag: "Drag on the picture to move, too.",
  draw: (canvas, values, shape) => draw(canvas, values, shape),
};
