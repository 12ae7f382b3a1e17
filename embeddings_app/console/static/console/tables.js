// Files of rows: CSV with a header, tabs in place of commas too, and JSON lines or one JSON list.

// {columns, rows}; each row is an object. Throws Error with what is wrong and where.
export function readTable(name, text) {
  const start = text.trimStart()[0];
  if (start === "{" || start === "[") return ofObjects(start === "[" ? JSON.parse(text) : jsonLines(text));
  const [columns, ...lines] = separated(text, /\.tsv$/i.test(name) ? "\t" : ",");
  if (!columns || columns.some((column) => column === "")) throw new Error("The first line must name every column.");
  const rows = lines.map((line) => Object.fromEntries(columns.map((column, at) => [column, typed(line[at] ?? "")])));
  return { columns, rows };
}

function jsonLines(text) {
  return text
    .split("\n")
    .filter((line) => line.trim())
    .map((line, at) => {
      try {
        return JSON.parse(line);
      } catch {
        throw new Error(`Line ${at + 1} is no JSON.`);
      }
    });
}

function ofObjects(rows) {
  const wrong = rows.findIndex((row) => row === null || typeof row !== "object" || Array.isArray(row));
  if (wrong >= 0) throw new Error(`Row ${wrong + 1} is no object.`);
  return { columns: [...new Set(rows.flatMap(Object.keys))], rows };
}

// Numbers that are written as JSON writes them are numbers; an id such as 007 stays text.
function typed(value) {
  return value !== "" && String(Number(value)) === value ? Number(value) : value;
}

// The fields of each line: quotes may hold separators, line breaks, and quotes written twice.
function separated(text, separator) {
  const lines = [];
  let line = [];
  let field = "";
  let quoted = false;
  const endField = () => {
    line.push(field);
    field = "";
  };
  const endLine = () => {
    endField();
    if (line.length > 1 || line[0] !== "") lines.push(line);
    line = [];
  };
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < text.length; at++) {
    const one = text[at];
    if (quoted) {
      if (one !== '"') field += one;
      else if (text[at + 1] === '"') field += text[++at];
      else quoted = false;
    } else if (one === '"' && field === "") quoted = true;
    else if (one === separator) endField();
    else if (one === "\n") endLine();
    else if (one !== "\r") field += one;
  }
  if (quoted) throw new Error("A quote is opened and never closed.");
  endLine();
  return lines;
}
