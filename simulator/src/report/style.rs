//! How the page looks, light or dark as its reader likes it, and the little that moves on it.

/// The style sheet.
pub(super) const STYLE: &str = "
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #fff; --ink: #23262b; --soft: #666c75; --line: #dfdcd3;
 --blue: #2f6db3; --green: #3c8a5a; --amber: #c98a1b; --red: #b4462f; --band: #e0a33a; --free: #eeece5; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --card: #1d2025; --ink: #e4e2dc; --soft: #979da6;
 --line: #343941; --blue: #78aee8; --green: #6cc28d; --amber: #e8bf6d; --red: #ef8268; --band: #e0a33a; --free: #262a30; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
 font: 14px/1.45 ui-sans-serif, system-ui, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 20px 24px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; display: flex; gap: 12px; align-items: center; flex-wrap: wrap; }
h2 { font-size: 16px; margin: 30px 0 8px; } h2 small { font-weight: 400; color: var(--soft); font-size: 13px; }
a { color: var(--blue); } .soft { color: var(--soft); }
.verdict { font-size: 14px; padding: 2px 12px; border-radius: 99px; color: var(--card); background: var(--green); }
.verdict.fail { background: var(--red); }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; margin: 16px 0;
 background: var(--line); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.facts div { background: var(--card); padding: 8px 12px; } .facts b { display: block; font-size: 17px; font-weight: 600;
 font-variant-numeric: tabular-nums; overflow-wrap: anywhere; } .facts span { color: var(--soft); font-size: 12px; }
.hash { font: 12px ui-monospace, 'Cascadia Mono', Menlo, monospace; overflow-wrap: anywhere; color: var(--soft); }
.again { display: flex; gap: 8px; align-items: center; background: var(--card); border: 1px solid var(--line);
 border-radius: 8px; padding: 8px 12px; margin: 6px 0; } .again code { flex: 1; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, 'Cascadia Mono', Menlo, monospace; }
button, input { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
 border-radius: 6px; padding: 3px 10px; } button { cursor: pointer; }
.bad { border-left: 4px solid var(--red); background: var(--card); padding: 10px 14px; margin: 10px 0;
 border-radius: 0 8px 8px 0; overflow-wrap: anywhere; } .bad b { color: var(--red); }
.row { display: grid; grid-template-columns: 150px minmax(0, 1fr); align-items: center; }
.row > label { padding-right: 12px; text-align: right; font-size: 12px; line-height: 1.25; overflow: hidden;
 text-overflow: ellipsis; } .row > label small { display: block; color: var(--soft); font-size: 11px; }
.plot { position: relative; cursor: crosshair; } .plot svg { display: block; width: 100%; }
.plot::after { content: ''; position: absolute; inset: 0 auto 0 var(--x, 0); width: 1px; background: var(--ink);
 opacity: var(--seen, 0); pointer-events: none; }
.chart { margin: 3px 0; border-bottom: 1px solid var(--line); } .strip { margin: 1px 0; }
.lane { position: relative; height: 19px; } .bar, .cut { position: absolute; top: 2px; height: 15px; min-width: 3px;
 border-radius: 3px; background: color-mix(in srgb, var(--band) 38%, transparent); border: 1px solid var(--band); }
.bar span { position: absolute; left: 4px; top: -1px; font-size: 11px; line-height: 15px; white-space: nowrap; }
.bar.end span { left: auto; right: 4px; } .down { background: color-mix(in srgb, var(--red) 40%, transparent);
 border-color: var(--red); } .cut { width: 2px; min-width: 2px; background: var(--blue); border: 0; }
.ticks { height: 20px; font-size: 11px; color: var(--soft); font-variant-numeric: tabular-nums; }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.ticks .first { transform: none; } .ticks .last { transform: translateX(-100%); }
/* What is used from elsewhere knows no ancestors. */
.b { fill: var(--band); fill-opacity: .15; } .v { stroke: var(--red); stroke-width: 1.5; stroke-dasharray: 4 3;
 vector-effect: non-scaling-stroke; } .h { stroke: var(--soft); stroke-dasharray: 1 4;
 vector-effect: non-scaling-stroke; }
svg .cap { fill: none; stroke: var(--soft); } svg .claim { fill: var(--blue); fill-opacity: .2; stroke: var(--blue); }
svg .runs { fill: none; stroke: var(--green); stroke-width: 1.6; } svg .wanted { fill: none; stroke: var(--soft);
 stroke-dasharray: 4 3; } svg .lack { fill: var(--red); fill-opacity: .35; stroke: none; }
svg .well { fill: var(--green); fill-opacity: .2; stroke: var(--green); stroke-width: 1.4; }
svg path { vector-effect: non-scaling-stroke; } svg .dot { fill: var(--blue); fill-opacity: .55; }
svg .s0 { fill: var(--free); } svg .s1 { fill: var(--blue); fill-opacity: .25; } svg .s2 { fill: var(--blue);
 fill-opacity: .45; } svg .s3 { fill: var(--blue); fill-opacity: .68; } svg .s4 { fill: var(--blue); }
svg .suspect { fill: var(--amber); } svg .lost { fill: var(--red); } svg .none { fill: none; }
svg .aside { fill: var(--soft); } svg .tall { fill: var(--blue); }
.key { display: flex; gap: 16px; flex-wrap: wrap; font-size: 12px; color: var(--soft); margin: 0 0 6px 150px; }
.key i { display: inline-block; width: 14px; height: 10px; border-radius: 2px; margin-right: 5px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; } th { text-align: left; font-weight: 600;
 color: var(--soft); border-bottom: 1px solid var(--line); padding: 4px 10px 4px 0; white-space: nowrap; }
td { border-bottom: 1px solid var(--line); padding: 3px 10px 3px 0; vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ok { color: var(--green); } .no { color: var(--red); font-weight: 600; } .idle { color: var(--soft); }
.scroll { max-height: 560px; overflow: auto; border: 1px solid var(--line); border-radius: 8px; padding: 0 12px;
 background: var(--card); } .scroll th { position: sticky; top: 0; background: var(--card); }
tr:target td, tr.near td { background: color-mix(in srgb, var(--band) 25%, transparent); }
tr.violation td { color: var(--red); font-weight: 600; } .kind { font-size: 12px; color: var(--soft); }
tr.fault .kind { color: var(--amber); } tr.control .kind { color: var(--red); } tr.command .kind { color: var(--blue); }
#clock { position: fixed; right: 16px; top: 12px; background: var(--ink); color: var(--paper); border-radius: 6px;
 padding: 3px 10px; font-variant-numeric: tabular-nums; visibility: hidden; z-index: 2; }
@media (max-width: 720px) { .facts { grid-template-columns: repeat(2, 1fr); } .row { grid-template-columns: 90px minmax(0, 1fr); } .key { margin-left: 0; }
 main { padding: 12px; } }
@media print { .scroll { max-height: none; } button, input, #clock { display: none; } }
";

/// What moves: a line through all charts under the pointer, the moment that is clicked on, and a filter.
pub(super) const SCRIPT: &str = "
const end = +document.body.dataset.end, clock = document.getElementById('clock');
const rows = [...document.querySelectorAll('#moments tr[data-at]')];
const at = event => { const box = event.currentTarget.getBoundingClientRect();
  return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)); };
for (const plot of document.querySelectorAll('.plot')) {
  plot.addEventListener('mousemove', event => { const x = at(event);
    document.body.style.setProperty('--x', 100 * x + '%'); document.body.style.setProperty('--seen', .5); clock.style.visibility = 'visible';
    clock.textContent = (x * end / 1e6).toFixed(3) + ' s'; });
  plot.addEventListener('mouseleave', () => { document.body.style.removeProperty('--seen');
    clock.style.visibility = 'hidden'; });
  plot.addEventListener('click', event => { const time = at(event) * end;
    const near = rows.filter(row => !row.hidden).reduce((best, row) => !best ||
      Math.abs(row.dataset.at - time) < Math.abs(best.dataset.at - time) ? row : best, null);
    rows.forEach(row => row.classList.toggle('near', row === near));
    if (near) near.scrollIntoView({ block: 'center' }); });
}
document.getElementById('filter')?.addEventListener('input', event => {
  const words = event.target.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const row of rows) { const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word)); } });
for (const button of document.querySelectorAll('.again button')) button.addEventListener('click', () => {
  navigator.clipboard?.writeText(button.previousElementSibling.textContent).then(() => {
    button.textContent = 'copied'; setTimeout(() => button.textContent = 'copy', 1200); }); });
document.body.dataset.alive = 'yes';
";
