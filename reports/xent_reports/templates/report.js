"use strict";
const all = (s, e = document) => [...e.querySelectorAll(s)];
const q = document.querySelector("#q"), form = q.form, said = form.querySelector("output");
const articles = all("#failures article"), rows = all("#mx .q");
form.hidden = false;
form.addEventListener("submit", e => e.preventDefault());

// A row is shown where its own words match or a failure of it does; -word leaves out.
const facts = new Map();
for (const r of rows) {
  const head = r.cells[0];
  facts.set(head.querySelector("a").hash, [head.firstChild.textContent, r.parentNode.rows[0].textContent,
    "level:" + (head.querySelector("small")?.textContent ?? "MUST")].join(" ").toLowerCase());
}
const hash = a => a.parentNode.querySelector("h3 a").hash;
const text = a => [facts.get(hash(a)), "backend:" + a.querySelector("b").textContent,
  a.dataset.t.replace(/\S+/g, "status:$& dtype:$&")].join(" ").toLowerCase();
function filter() {
  const words = q.value.toLowerCase().split(/\s+/).filter(Boolean), ids = new Set();
  const match = t => words.every(w => w[0] === "-" && w[1] ? !t.includes(w.slice(1)) : t.includes(w));
  for (const a of articles) if (!(a.hidden = !match(text(a)))) ids.add(hash(a));
  for (const d of all(".broken")) d.hidden = !all("article", d).some(a => !a.hidden);
  let shown = 0;
  for (const r of rows) {
    const id = r.querySelector("a").hash;
    shown += !(r.hidden = words.length > 0 && !ids.has(id) && !match(facts.get(id)));
    for (const d of dtypes(r)) d.hidden = r.hidden;
  }
  for (const b of all("#mx tbody:has(.q)")) b.hidden = all(".q", b).every(r => r.hidden);
  said.textContent = words.length ? `${shown} of ${rows.length} requirements, ${articles.filter(a => !a.hidden).length} of ${articles.length} failures` : "";
  const url = new URL(location);
  if (words.length) url.searchParams.set("q", q.value); else url.searchParams.delete("q");
  try { history.replaceState(null, "", url); } catch { /* a sandboxed page has no history */ }
}
function* dtypes(row) {
  for (let d = row.nextElementSibling; d?.classList.contains("d"); d = d.nextElementSibling) yield d;
}
q.value = new URL(location).searchParams.get("q") ?? "";
q.addEventListener("input", filter);
filter();

// A cell that leads nowhere opens the dtypes of its row.
document.querySelector("#mx").addEventListener("click", e => {
  const row = e.target.closest(".q");
  if (!row || e.target.closest("a")) return;
  for (const d of dtypes(row)) d.classList.toggle("open");
});

for (const code of all("pre.py, .cmd code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  if (code.tagName === "PRE") {
    const frame = document.createElement("div");
    frame.className = "code";
    code.replaceWith(frame);
    frame.append(code, button);
  } else code.after(button);
}

// A link to a dtype that is folded away unfolds it; one to a failure that the filter hides clears the filter.
function arrive() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.closest("[hidden]")) { q.value = ""; filter(); }
  if (target?.tagName === "DETAILS") target.open = true;
  target?.scrollIntoView();
}
addEventListener("hashchange", arrive);
if (location.hash) arrive();
addEventListener("keydown", e => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && e.target.tagName !== "INPUT") { e.preventDefault(); q.focus(); }
});
