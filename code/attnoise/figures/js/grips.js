// Handles over a picture, 44 px wide: a mouse, a pen, a finger or the arrow keys move them. Where they
// overlap, the nearest is taken. They lie beside the svg, not in it: a picture holds no controls.
const ARROW_KEYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export const gripsOn = (stage) => {
  let grips = [];
  const pointOf = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const far = (grip, [x, y]) => Math.hypot(grip.x - x, grip.y - y);

  // label: what is moved. move(x, y): the pointer holds it there, in pixels of the picture.
  // key(right, up): an arrow key was pressed. grab(x, y): the pointer has taken it.
  const add = ({ label, move, key, grab = () => {} }) => {
    const element = document.createElement("div");
    element.className = "pan-fig-handle";
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-roledescription", "handle");
    element.setAttribute("aria-label", label);
    let off = [0, 0];
    const held = (event) => pointOf(event).map((v, axis) => v + off[axis]);
    const grip = {
      element, x: 0, y: 0,
      hold(event) {
        const [x, y] = pointOf(event);
        off = [grip.x - x, grip.y - y];
        element.setPointerCapture(event.pointerId);
        element.focus({ preventScroll: true });
        grab(grip.x, grip.y);
      },
      // Where it is now; text: how it is called there.
      put(x, y, text = label) {
        Object.assign(grip, { x, y });
        Object.assign(element.style, { left: `${x - 22}px`, top: `${y - 22}px` });
        element.setAttribute("aria-label", text);
      },
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      const point = pointOf(event);
      grips.reduce((best, other) => (far(other, point) < far(best, point) ? other : best)).hold(event);
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) move(...held(event));
    });
    element.addEventListener("keydown", (event) => {
      if (!ARROW_KEYS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      key(...ARROW_KEYS[event.key]);
    });
    grips.push(grip);
    stage.append(element);
    return grip;
  };
  return { add, clear: () => { grips = []; } };
};
