// Write CSV that contains no formulas, and read CSV with the line on which each row begins.

const FORMULA = /^'*[\s\ufeff]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

// Skip rows without visible text, as the server does.
const SEEN = /[^\s\p{Default_Ignorable_Code_Point}\u2800]/u;

/** @param {unknown} cell */
const quoted = (cell) => {
  const text = String(cell ?? "");
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
};

/**
 * Return rows as a CSV file that Excel opens correctly: byte order mark, CRLF, no formulas.
 * @param {unknown[][]} rows
 */
export const csvBlob = (rows) =>
  new Blob(["\ufeff", ...rows.map((row) => `${row.map(quoted).join(",")}\r\n`)], { type: "text/csv;charset=utf-8" });

/**
 * Return the rows of a CSV text, each with the line on which it begins. The header row determines the delimiter.
 * @param {string} text
 * @returns {{line: number, cells: string[]}[]}
 */
export function readCsv(text) {
  const source = text.replace(/^\ufeff/, "");
  const first = source.split(/\r?\n|\r/, 1)[0].replace(/"[^"]*"/g, "");
  const delimiter = [",", ";", "\t"].sort((a, b) => first.split(b).length - first.split(a).length)[0];
  /** @type {{line: number, cells: string[]}[]} */
  const rows = [];
  /** @type {string[]} */
  let cells = [];
  let cell = "";
  let inQuotes = false;
  let line = 1;
  let began = 1;
  const endRow = () => {
    cells.push(cell);
    if (cells.some((one) => SEEN.test(one))) rows.push({ line: began, cells });
    cells = [];
    cell = "";
    began = line;
  };
  for (let at = 0; at < source.length; at += 1) {
    const sign = source[at];
    const ends = sign === "\n" || sign === "\r";
    if (ends && sign === "\r" && source[at + 1] === "\n") at += 1;
    if (ends) line += 1;
    if (inQuotes) {
      if (sign === '"' && source[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (sign === '"') inQuotes = false;
      else cell += ends ? "\n" : sign;
    } else if (sign === '"' && cell === "") inQuotes = true;
    else if (sign === delimiter) {
      cells.push(cell);
      cell = "";
    } else if (ends) endRow();
    else cell += sign;
  }
  if (cell || cells.length) endRow();
  return rows;
}
