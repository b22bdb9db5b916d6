// Put a picture, channel by channel 3 x side x side numbers in [-1, 1], on a canvas of that size.
export const paintPixels = (canvas, values) => {
  const size = canvas.width * canvas.height;
  const data = new ImageData(canvas.width, canvas.height);
  for (let k = 0; k < size; k += 1) {
    for (let i = 0; i < 3; i += 1) data.data[4 * k + i] = 255 * Math.min(1, Math.max(0, (values[k + i * size] + 1) / 2));
    data.data[4 * k + 3] = 255;
  }
  canvas.getContext("2d").putImageData(data, 0, 0);
};
