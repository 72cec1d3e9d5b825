// Each section becomes a stack of slides: parts go onto one as long as they fit, as the browser measures them.
// A part that is too tall for a slide of its own is made smaller.
const FULL = HEIGHT - 24, SMALLEST = 0.35;

function stack(section, room) {
  const parts = [...section.querySelectorAll(":scope > .part")], notes = section.querySelector("aside.notes");
  const slides = [];
  let slide, held;
  const begin = () => {
    slide = document.createElement("section");
    slide.style.cssText = "display:block; position:static; visibility:visible";
    room.replaceChildren(slide);
    if (slides.length) {
      const again = slide.appendChild(document.createElement("p"));
      again.className = "continued";
      again.textContent = section.dataset.heading;
    }
    slides.push(slide);
    held = 0;
  };
  begin();
  for (const part of parts) {
    slide.append(part);
    if (held && slide.offsetHeight > FULL) {
      begin();
      slide.append(part);
    }
    for (let size = 0.95; slide.offsetHeight > FULL && size > SMALLEST; size -= 0.05) part.style.zoom = size;
    held += 1;
  }
  for (const one of slides) one.removeAttribute("style");
  if (notes) slides[0].append(notes);
  section.replaceChildren(...slides);
}

const pictures = [...document.images].map((image) => image.decode().catch(() => null));
Promise.all([document.fonts.ready, ...pictures]).then(() => {
  const page = document.body.appendChild(document.createElement("div")), room = page.appendChild(document.createElement("div"));
  page.className = "reveal";
  page.style.cssText = `position:absolute; visibility:hidden; height:auto; width:${WIDTH}px`;
  room.className = "slides";
  room.style.cssText = "position:static";
  document.querySelectorAll(".slides > section").forEach((section) => stack(section, room));
  page.remove();
  return Reveal.initialize({
    width: WIDTH, height: HEIGHT, margin: 0, center: false, hash: true, slideNumber: true, transition: "none",
    controlsLayout: "bottom-right", plugins: [RevealNotes],
  });
}).then(() => { window.ready = true; });
