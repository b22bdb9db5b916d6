// Show ready-made frames: data holds [address, sentence] for each combination of the controls.
const sizes = inputs.map((input) => +input.max + 1);
fig.show(() => () => {
  const at = fig.places().reduce((index, place, i) => index * sizes[i] + place, 0);
  const [address, sentence] = fig.data[at];
  fig.image.src = address;
  return { sentence, numbers: { frame: at } };
});
