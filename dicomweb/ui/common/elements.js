// Elements from values. Text goes in as text, never as markup: names come from anywhere.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Written only when it differs, so that nothing is laid out or announced for nothing. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const byId = (...ids) => ids.map((id) => document.getElementById(id));

export const chips = (modalities) => modalities.map((modality) => element("span", { class: "chip" }, modality));
