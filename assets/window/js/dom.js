// Building the page: elements with properties and children, text always as text.

const SVG = "http://www.w3.org/2000/svg";

// el makes an element. props are attributes, except: class, text, on (listeners), and
// booleans, which are set or left out.
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

// svg is el for drawings.
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((c) => c != null && c !== false));
  return node;
}

// setText changes a text only if it is another: what a person has selected stays.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// say tells a person what has happened; screen readers read it out.
let saying;
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => { place.textContent = ""; }, 5000);
}
