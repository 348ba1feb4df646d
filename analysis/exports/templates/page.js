// Sorting and copying of tables. Without it the page is whole, only without these buttons.
(() => {
  "use strict";
  const status = document.getElementById("status");
  const say = (words) => { status.textContent = words; };
  const textOf = (node) => node.textContent.replace(/\s+/g, " ").trim();
  const EMPTY = new Set(["", "none", "baseline", "-", "–"]);

  function compare(column) {
    const numeric = (row) => row.cells[column].dataset.sort;
    return (one, other) => {
      const [a, b] = [numeric(one), numeric(other)];
      if (a !== undefined && b !== undefined) return Number(a) - Number(b);
      if (a !== b) return a === undefined ? 1 : -1; // numbers before words
      return textOf(one.cells[column]).localeCompare(textOf(other.cells[column]), "en", { numeric: true });
    };
  }

  function sort(table, column, stored) {
    const heads = [...table.tHead.rows[0].cells];
    const head = heads[column];
    // Ascending, descending, and back to the report's own order.
    const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? next : "none"));
    let rows = stored;
    if (next !== "none") {
      const blank = (row) => EMPTY.has(textOf(row.cells[column]));
      const sign = next === "ascending" ? 1 : -1;
      const order = compare(column);
      rows = stored.filter((row) => !blank(row)).sort((a, b) => sign * order(a, b));
      rows.push(...stored.filter(blank)); // what has no value comes last either way
    }
    table.classList.toggle("sorted", next !== "none");
    table.tBodies[0].append(...rows);
    say(next === "none" ? "Table in its own order" : `Sorted by ${textOf(head)}, ${next}`);
  }

  async function copy(words, shown) {
    try {
      await navigator.clipboard.writeText(words);
      return true;
    } catch {
      // An older browser, or a page that may not: ask the document itself.
      const box = document.createElement("textarea");
      box.value = words;
      box.setAttribute("aria-hidden", "true");
      document.body.append(box);
      box.select();
      let done = false;
      try { done = document.execCommand("copy"); } catch { done = false; }
      box.remove();
      if (!done) getSelection().selectAllChildren(shown);
      return done;
    }
  }

  function copyButton(label, shown, words) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = label;
    button.addEventListener("click", async () => {
      const done = await copy(words(), shown);
      say(done ? "Copied" : "Selected; press Ctrl+C to copy");
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      button.focus();
      setTimeout(() => { button.textContent = label; }, 2000);
    });
    return button;
  }

  for (const table of document.querySelectorAll("table")) {
    const stored = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, column, stored));
    });
    const tsv = () => [...table.rows].map((row) => [...row.cells].map(textOf).join("\t")).join("\n") + "\n";
    const name = table.getAttribute("aria-label");
    const button = copyButton("Copy as TSV", table, tsv);
    button.setAttribute("aria-label", `Copy as TSV: ${name}`);
    document.getElementById(`tools-${table.id}`).prepend(button);
  }
  for (const block of document.querySelectorAll("pre[data-copy]")) {
    block.before(copyButton(`Copy ${block.dataset.copy}`, block, () => block.textContent.trim() + "\n"));
  }
})();
