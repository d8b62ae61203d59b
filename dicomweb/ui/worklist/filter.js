// Which rows the words of the filter leave: each word somewhere in what the row shows.

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export const words = (text) => fold(text).split(/\s+/).filter(Boolean);

const texts = (item, known) => [
  known?.name, known?.other, known?.id, known?.description, known?.accession, known?.date, ...(known?.modalities ?? []), ...(known?.parts ?? []),
  item.finding?.name, item.finding?.model, item.requested, item.state, item.holder, item.done_by,
];

export function matches(asked, item, known) {
  if (!asked.length) return true;
  const all = fold(texts(item, known).filter(Boolean).join("\n"));
  return asked.every((word) => all.includes(word));
}
