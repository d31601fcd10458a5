"""How the page looks: one style sheet, for wide screens, telephones and paper."""

from __future__ import annotations

#: Each pair of ink and ground has a contrast of 4.5 or more.
CSS = """
:root { color-scheme: light; --ink: #222222; --quiet: #555555; --line: #d0d0d0; --ground: #f5f5f5; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: #ffffff; color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
a { color: #084a8f; }
.quiet { color: var(--quiet); }
.verdict { border-left: .5rem solid; padding: .8rem 1rem; margin: 1rem 0; background: var(--ground);
  border-radius: .25rem; }
.verdict p { margin: 0 0 .3rem; }
.verdict .headline { font-size: 1.2rem; font-weight: 600; line-height: 1.35; }
.verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.passed { border-color: #08519c; }
.stopped { border-color: #a63603; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; overflow-wrap: break-word; }
thead th { border-bottom: 2px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; min-width: 10rem; max-width: 22rem; }
td { max-width: 22rem; }
.wide { overflow-x: auto; }
tbody tr { border-bottom: 1px solid var(--line); }
.count { text-align: right; font-variant-numeric: tabular-nums; }
.word { white-space: nowrap; }
.open { color: #8a2c02; font-weight: 600; }
code { font: .85em ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
.picture { overflow-x: auto; border: 1px solid var(--line); border-radius: .25rem; }
.picture svg { display: block; }
.small svg { width: 100%; max-width: 42rem; height: auto; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .9rem; }
@media (max-width: 46rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody, tbody tr, tbody th, tbody td { display: block; width: 100%; }
  tbody tr { padding: .5rem 0; }
  tbody th, tbody td { padding: .1rem 0; max-width: none; }
  tbody td { display: flex; gap: .6rem; justify-content: space-between; text-align: right; }
  tbody td::before { content: attr(data-label); color: var(--quiet); text-align: left;
    flex: 0 0 35%; white-space: normal; }
  tbody td:not(.count, .word), tbody td:not(.count, .word)::before { display: block;
    text-align: left; }
  tbody td > span { min-width: 0; overflow-wrap: anywhere; }
  tbody td.empty:not(.count, .word) { display: none; }
  .word { white-space: normal; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 9pt; }
  .picture, .wide { overflow: visible; border: 0; }
  .picture svg { max-width: 100%; height: auto; }
  tbody tr, .verdict, .picture { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
