"use strict";
const all = (s, e = document) => [...e.querySelectorAll(s)];
const q = document.querySelector("#q"), form = q.form, said = form.querySelector("output");
const cards = all("#causes .card, #weak .card"), rows = all("#mx .q"), families = all("#mx .fam");
form.hidden = false;
form.addEventListener("submit", e => e.preventDefault());

// A row is shown where its own words match, or a cause that breaks it does; -word leaves out.
const id = r => r.querySelector(".panel").id;
const level = r => r.querySelector("summary small")?.textContent ?? "MUST";
const facts = new Map(rows.map(r => [id(r), [r.querySelector("summary").firstChild.textContent,
  r.closest(".fam").querySelector("b").textContent, "level:" + level(r),
  ...all(".c i", r).map(i => "status:" + i.textContent.trim())].join(" ").toLowerCase()]));
const texts = new Map(cards.map(c => [c, ["backend:" + c.dataset.b, c.dataset.t.replace(/\S+/g, "status:$& dtype:$&"),
  c.querySelector("summary").textContent].join(" ").toLowerCase()]));
const breaks = c => all(".body > p a[href^='#r-'], .more > summary", c).map(e => "r-" + e.textContent.trim().split(/[\s,]/)[e.tagName === "A" ? 0 : 1]);
const before = families.map(f => f.open);
function filter() {
  const words = q.value.toLowerCase().split(/\s+/).filter(Boolean), ids = new Set();
  const match = t => words.every(w => w[0] === "-" && w[1] ? !t.includes(w.slice(1)) : t.includes(w));
  for (const c of cards) if (!(c.hidden = !match(texts.get(c))) && words.length) breaks(c).forEach(name => ids.add(name));
  let shown = 0;
  for (const r of rows) shown += !(r.hidden = words.length > 0 && !ids.has(id(r)) && !match(facts.get(id(r))));
  families.forEach((f, i) => { f.hidden = all(".q", f).every(r => r.hidden); f.open = words.length ? shown <= 60 : before[i]; });
  said.textContent = words.length ? `${shown} of ${rows.length} requirements, ${cards.filter(c => !c.hidden).length} of ${cards.length} causes` : "";
  const url = new URL(location);
  if (words.length) url.searchParams.set("q", q.value); else url.searchParams.delete("q");
  try { history.replaceState(null, "", url); } catch { /* a sandboxed page has no history */ }
}
q.value = new URL(location).searchParams.get("q") ?? "";
q.addEventListener("input", filter);
if (q.value) filter();

const unfold = document.querySelector("#unfold");
unfold.hidden = false;
unfold.addEventListener("click", () => {
  const open = families.some(f => !f.open);
  for (const f of families) f.open = open;
  unfold.textContent = open ? "Collapse all families" : "Expand all families";
});

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => act(made));
  return made;
}

// Cells that pass are sorted by their ratio, below all others that were judged.
const passing = text => { const ratio = Number(text.replace(/[^\d.e-]/g, "")) || 0; return 2 + ratio / (1 + ratio); };
// The matrix is sorted within its families: by a column from the worst, and back.
all("#mx .head .c").forEach((head, column) => {
  const made = button(head.textContent, () => {
    const on = made.getAttribute("aria-pressed") !== "true";
    for (const other of all("#mx .head button")) other.setAttribute("aria-pressed", String(other === made && on));
    const key = r => { const cells = all("summary .c", r), cell = cells[column] ?? cells[0]; return cell.dataset.o ?? passing(cell.textContent); };
    for (const f of families) {
      const inside = rows.filter(r => r.parentNode === f);
      if (on) inside.sort((a, b) => key(b) - key(a));
      f.append(...inside);
    }
  });
  made.setAttribute("aria-pressed", "false");
  // Its nodes and not its text: they say where a name may be broken.
  made.replaceChildren(...head.childNodes);
  head.replaceChildren(made);
});
for (const table of all("table.sort")) all("thead th", table).forEach((head, column) => {
  const made = button(head.textContent, () => {
    const up = head.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
    for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const text = r => r.cells[column]?.dataset.o ?? r.cells[column]?.textContent ?? "";
    body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * text(a).localeCompare(text(b), undefined, {numeric: true})));
  });
  head.replaceChildren(made);
});

for (const code of all("pre.py, .cmd code")) {
  const copy = button("Copy", async made => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      made.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      made.textContent = "Selected";
    }
    setTimeout(() => { made.textContent = "Copy"; }, 2000);
  });
  if (code.tagName === "PRE") {
    const frame = document.createElement("div");
    frame.className = "code";
    code.replaceWith(frame);
    frame.append(code, copy);
  } else code.after(copy);
}

// A link opens all that its target is folded into; one to what the filter hides clears the filter.
function arrive() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.closest("[hidden]")) { q.value = ""; filter(); }
  for (let d = target?.closest("details"); d; d = d.parentNode.closest("details")) d.open = true;
  target?.scrollIntoView();
}
addEventListener("hashchange", arrive);
if (location.hash) arrive();
addEventListener("keydown", e => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && e.target.tagName !== "INPUT") { e.preventDefault(); q.focus(); }
});
