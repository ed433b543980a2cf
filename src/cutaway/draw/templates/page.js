"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const make = (name, words, kind) => {
    const element = document.createElement(name);
    if (words) element.textContent = words;
    if (kind) element.className = kind;
    return element;
  };

  // Every picture is embedded once; images say which one they show.
  const fill = (image) => {
    image.addEventListener("load", () => {
      if (image.naturalWidth && image.naturalWidth <= 64) image.classList.add("pixel");
    });
    image.src = data.pictures[Number(image.dataset.pic)];
  };
  document.querySelectorAll("img[data-pic]").forEach(fill);

  // Light or dark: the system's choice until the button says otherwise.
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector(".theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
  };
  const remember = (theme) => { try { localStorage.setItem("cutaway-theme", theme); } catch { /* a file may not */ } };
  try { const kept = localStorage.getItem("cutaway-theme"); if (kept) root.dataset.theme = kept; } catch { /* same */ }
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  button.hidden = false;
  name();

  // Copy a command.
  const legacy = (words) => {
    const area = make("textarea", words);
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  };
  document.querySelectorAll(".copy").forEach((copy) => {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const words = copy.parentElement.querySelector("code").textContent;
      let copied = true;
      try { await navigator.clipboard.writeText(words); } catch { copied = legacy(words); }
      copy.textContent = copied ? "Copied" : "Press Ctrl+C";
      copy.focus();
      setTimeout(() => { copy.textContent = "Copy"; }, 1600);
    });
  });

  // Sort a table by a column.
  document.querySelectorAll("table.sortable th[data-sort]").forEach((head) => {
    const table = head.closest("table");
    const press = make("button", head.textContent);
    press.type = "button";
    head.replaceChildren(press);
    press.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const value = (row) => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = head.dataset.sort === "number" ? Number(x) - Number(y) : x.localeCompare(y);
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });

  // The confusion matrix: arrows move over the cells, Enter opens one, arrows in the dialog go to its neighbours.
  const dialog = document.getElementById("cell");
  const cells = [...document.querySelectorAll("[data-cell]")];
  if (!dialog || !cells.length) return;
  const byKey = new Map(cells.map((cell) => [cell.dataset.cell, cell]));
  const size = data.classes.length;
  let current = cells[0];

  const focus = (cell) => {
    current.setAttribute("tabindex", "-1");
    current = cell;
    current.setAttribute("tabindex", "0");
    current.focus();
  };
  const nextFrom = (cell, down, right) => {
    let [t, p] = cell.dataset.cell.split(",").map(Number);
    for (t += down, p += right; t >= 0 && p >= 0 && t < size && p < size; t += down, p += right) {
      const found = byKey.get(`${t},${p}`);
      if (found) return found;
    }
    return null;
  };
  const figure = ([file, picture]) => {
    const item = make("li");
    if (picture >= 0) {
      const image = make("img", "", "shot");
      image.alt = file;
      image.dataset.pic = picture;
      fill(image);
      item.append(image);
    } else item.append(make("div", "no thumbnail kept", "shot none"));
    item.append(make("p", file, "file"));
    return item;
  };
  const show = (cell) => {
    const [t, p] = cell.dataset.cell.split(",").map(Number);
    const shown = data.cells[cell.dataset.cell];
    const count = data.confusion[t][p];
    const [truth, answer] = [data.classes[t], data.classes[p]];
    dialog.querySelector("h2").textContent =
      t === p ? `${count} of “${truth}”, answered rightly` : `${count} of “${truth}”, answered “${answer}”`;
    dialog.querySelector(".note").textContent =
      shown.length < count ? `The ${shown.length} with the highest loss of ${count}, worst first.` : "Highest loss first.";
    dialog.querySelector(".pictures").replaceChildren(...shown.map(figure));
    current.setAttribute("tabindex", "-1");
    current = cell;
    current.setAttribute("tabindex", "0");
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  const step = (by) => show(cells[(cells.indexOf(current) + by + cells.length) % cells.length]);

  cells.forEach((cell) => {
    cell.addEventListener("click", () => show(cell));
    cell.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (move) {
        event.preventDefault();
        const found = nextFrom(cell, ...move);
        if (found) focus(found);
      } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        show(cell);
      }
    });
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => current.focus());
  dialog.querySelector(".before").addEventListener("click", () => step(-1));
  dialog.querySelector(".after").addEventListener("click", () => step(1));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
})();
