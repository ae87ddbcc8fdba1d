"use strict";
// Pictures in a browser: as they are.

const VIEW = {
  drag: "You can also drag the picture.",
  draw: (canvas, values, shape) => draw(canvas, values, shape),
};
