// Tables of cases: sorted by their column heads, filtered by the fields above. Without this script they are plain tables.
"use strict";
(() => {
  const natural = new Intl.Collator("en", { numeric: true });

  const compare = {
    number: (a, b) => parseFloat(a) - parseFloat(b),
    text: (a, b) => natural.compare(a, b),
  };

  // One column head becomes a button: rising, falling, as it came.
  const makeSortable = (head, column, body, rows) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") ?? "none"];
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      const sorted = rows.slice();
      if (direction !== "none") {
        head.setAttribute("aria-sort", direction);
        const sign = direction === "ascending" ? 1 : -1;
        const keys = new Map(rows.map((row) => [row, row.cells[column].textContent]));
        const order = compare[head.dataset.sort];
        sorted.sort((a, b) => sign * order(keys.get(a), keys.get(b)));
      }
      body.append(...sorted);
    });
  };

  const accepts = (row, wanted) => {
    const { true: label, predicted } = row.dataset;
    return (wanted.true === "" || wanted.true === label) &&
      (wanted.predicted === "" || wanted.predicted === predicted) &&
      (wanted.wrong === "" || (wanted.wrong === "1") === (label !== predicted)) &&
      (wanted.text === "" || `${row.cells[0].textContent}\n${row.cells[1].textContent}`.toLowerCase().includes(wanted.text));
  };

  const makeFilterable = (filter, table, rows) => {
    const fields = [...filter.querySelectorAll("[data-filter]")];
    const output = filter.querySelector("output");
    const apply = () => {
      const wanted = Object.fromEntries(fields.map((field) => [field.dataset.filter, field.value.trim().toLowerCase()]));
      let shown = 0;
      for (const row of rows) {
        row.hidden = !accepts(row, wanted);
        shown += !row.hidden;
      }
      table.classList.toggle("filtered", fields.some((field) => field.value !== ""));
      output.textContent = `${shown} of ${rows.length} shown`;
    };
    for (const field of fields) field.addEventListener("input", apply);
    filter.hidden = false;
    apply();
  };

  for (const part of document.querySelectorAll(".cases")) {
    const table = part.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.dataset.sort && makeSortable(head, column, body, rows));
    makeFilterable(part.querySelector(".filter"), table, rows);
  }
})();
