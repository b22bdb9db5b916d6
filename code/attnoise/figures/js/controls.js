// A control of a figure: a range, or a row of radio buttons. Either holds a place among its values.
export const controlOf = (box) => {
  const inputs = [...box.querySelectorAll("input")];
  const range = inputs[0].type === "range" ? inputs[0] : null;
  const place = () => (range ? +range.value : inputs.findIndex((input) => input.checked));
  return {
    box,
    last: range ? +range.max : inputs.length - 1,
    place,
    move(to) {
      if (range) range.value = to;
      else inputs[to].checked = true;
    },
    focus: () => (range ?? inputs[place()]).focus(),
    wake: () => inputs.forEach((input) => { input.disabled = false; }),
    // What a range says beside its label, and to a screen reader; a radio button has its own words.
    say(text) {
      if (!range) return;
      range.setAttribute("aria-valuetext", text);
      box.querySelector(".pan-fig-value").textContent = text;
    },
  };
};
