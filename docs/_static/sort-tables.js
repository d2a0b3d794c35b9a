// Long tables of the benchmarks can be sorted by a click on a column's head, and filtered by a word.
document.addEventListener("DOMContentLoaded", () => {
  const seconds = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1 };

  // What a cell is sorted by: the time or the number that it starts with, else its text.
  const key = (cell) => {
    const found = cell.innerText.match(/^(?:[A-Za-z]+ )?([\d.]+(?:e[+-]?\d+)?)(?: (ns|us|ms|s))?\b/);
    return found ? Number(found[1]) * (seconds[found[2]] ?? 1) : null;
  };

  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x === null ? 1 : -1; // what was not measured comes last
    return a.innerText.localeCompare(b.innerText, undefined, { numeric: true });
  };

  const sort = (table, head) => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (rising ? 1 : -1) * compare(a.cells[head.cellIndex], b.cells[head.cellIndex]));
    table.tBodies[0].append(...rows);
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
  };

  // A name may be broken behind each of its slashes.
  const breakName = (cell) => {
    const place = cell.querySelector("p") ?? cell;
    const parts = place.textContent.split(/(?<=\/)/);
    place.replaceChildren(...parts.flatMap((part) => [part, document.createElement("wbr")]));
  };

  // The last column has a line for each library: they are shown by a click.
  const fold = (cell) => {
    const lines = cell.querySelectorAll("br").length + 1;
    if (lines < 2) return;
    const details = document.createElement("details");
    details.append(Object.assign(document.createElement("summary"), { textContent: `show ${lines}` }), ...cell.childNodes);
    cell.append(details);
  };

  const addFilter = (table) => {
    const field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter, such as Adam float32" });
    field.className = "table-filter form-control";
    field.setAttribute("aria-label", "Show only the rows with these words in the first column");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      for (const row of table.tBodies[0].rows) {
        const text = row.cells[0].innerText.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    (table.closest(".pst-scrollable-table-container") ?? table).before(field);
  };

  for (const table of document.querySelectorAll("section#benchmarks table")) {
    if (table.tBodies[0].rows.length < 4) continue;
    table.classList.add("sortable");
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head));
      head.append(button);
    }
    for (const row of table.tBodies[0].rows) {
      breakName(row.cells[0]);
      fold(row.cells[row.cells.length - 1]);
    }
    if (table.tBodies[0].rows.length > 20) addFilter(table);
  }
});
