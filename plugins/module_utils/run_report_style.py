# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of a run's report: light and dark, nothing fetched from anywhere."""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1d232b; --soft: #5b6673; --line: #dde2e8; --wash: #f5f7f9; --grid: #e6eaee;
  --good: #1f7a4d; --bad: #b3261e; --badwash: rgb(179 38 30 / 13%);
  --own: #3f6394; --w0: #7fb0a4; --w1: #d2ae6d; --w2: #a796c4; --w3: #8fb4d6; --w4: #b9b3a6; --area: #c3d3e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e3e7ec; --soft: #98a3b0; --line: #2d353f; --wash: #1b2027; --grid: #242b33;
    --good: #63c595; --bad: #ff8078; --badwash: rgb(255 128 120 / 18%);
    --own: #7ea3d8; --w0: #4d877b; --w1: #98793f; --w2: #75659a; --w3: #4d7396; --w4: #6d685d; --area: #33475f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 84rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 1.1rem; margin: 2.8rem 0 .8rem; font-weight: 650; }
h3 { font-size: .8rem; margin: 1.4rem 0 .4rem; font-weight: 600; color: var(--soft); }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
  margin: 1.6rem 0 0; padding: 0; }
.tile { background: var(--wash); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; }
.tile dt { color: var(--soft); font-size: .82rem; }
.tile dd { margin: .1rem 0 0; font-size: 1.5rem; font-weight: 600; line-height: 1.25; }
.tile dd small { display: block; font-size: .82rem; font-weight: 400; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .82rem; color: var(--soft);
  margin: 0 0 .8rem; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem;
  vertical-align: -.08rem; }
.row { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 0 1rem; align-items: center; }
.label { font-size: .85rem; line-height: 1.25; padding: .25rem 0; min-width: 0; }
.label b { font-weight: 550; overflow-wrap: anywhere; }
.label span { display: block; font-size: .76rem; color: var(--soft); }
.track {
  position: relative; overflow: hidden; height: 100%; min-height: 1.9rem; border-right: 1px solid var(--grid);
  background: linear-gradient(to right, var(--grid) 1px, transparent 1px) 0 0 / var(--tick) 100%;
}
.nodes .row { border-top: 1px solid var(--grid); } .nodes .row:last-child { border-bottom: 1px solid var(--grid); }
.bar { position: absolute; top: calc(50% - .7rem); height: 1.4rem; min-width: 2px; border-radius: 2px;
  background: var(--own); overflow: hidden; box-shadow: 0 0 0 .5px var(--paper); }
.bar i { position: absolute; top: 0; bottom: 0; }
.bar em {
  position: absolute; left: .4rem; top: 50%; transform: translateY(-50%); white-space: nowrap; font-style: normal;
  font-size: .72rem; line-height: 1; padding: .15rem .3rem; border-radius: 2px; background: var(--paper);
    color: var(--ink); opacity: .88;
}
.bar.wrong { background: var(--bad); }
.reason { border-left: 3px solid var(--bad); padding-left: .8rem; margin: .8rem 0 0; }
.flaw { position: absolute; top: 0; bottom: 0; min-width: 2px; background: var(--badwash); }
.probe .track { height: 3.2rem; margin: .2rem 0; border-bottom: 1px solid var(--line); }
.probe svg { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.area { fill: var(--area); } .median { fill: none; stroke: var(--own); stroke-width: 1.5;
  vector-effect: non-scaling-stroke; }
.gap { fill: var(--bad); } .hit { stroke: var(--bad); stroke-width: 2; vector-effect: non-scaling-stroke; }
.axis { position: relative; height: 1.4rem; font-size: .74rem; color: var(--soft); }
.axis span { position: absolute; top: .1rem; white-space: nowrap; }
.axis span + span { transform: translateX(-50%); } .axis span.last { transform: translateX(-100%); }
.w0 { background: var(--w0); } .w1 { background: var(--w1); } .w2 { background: var(--w2); }
.w3 { background: var(--w3); } .w4 { background: var(--w4); } .own { background: var(--own); }
.slowest { background: var(--area); } .failed { background: var(--bad); }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
table + table { margin-top: 1.4rem; }
caption { text-align: left; color: var(--soft); padding: 0 0 .4rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-top: 1px solid var(--line);
  font-weight: 400; }
thead th:first-child { width: 22%; }
thead th { color: var(--soft); font-size: .78rem; border-top: 0; }
tbody th { font-weight: 550; } tbody th, td { overflow-wrap: anywhere; }
tbody th { min-width: 7rem; } td.free { min-width: 9rem; } td.word { white-space: nowrap; }
.num { text-align: right; white-space: nowrap; }
details { border-top: 1px solid var(--line); } details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .5rem 0; } details table { margin: 0 0 1rem; }
.note { font-size: .82rem; color: var(--soft); margin-top: .6rem; }
@media (max-width: 46rem) {
  .row { grid-template-columns: minmax(0, 1fr); } .track { height: 1.9rem; } .axis { margin-bottom: .2rem; }
  .bar em { display: none; }
  .axis span:nth-child(even):not(.last) { display: none; }
  table, tbody, tr, td, tbody th { display: block; } thead { display: none; }
  tr { border-top: 1px solid var(--line); padding: .5rem 0; } th, td { border: 0; padding: .1rem 0; }
  td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); } .num { text-align: left;
    white-space: normal; }
  td:empty { display: none; }
}
@media print { body { max-width: none; padding: 0;
  } .bar, .flaw, .own, .w0, .w1, .w2, .w3, .w4 { print-color-adjust: exact; } }
"""
