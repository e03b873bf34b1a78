// How the report looks: on a screen light or dark as its reader has it, on paper light.
#ifndef SEALKV_BENCH_REPORT_STYLE_H_
#define SEALKV_BENCH_REPORT_STYLE_H_

namespace sealkv::bench {

// The colours of engines begin with those of Okabe and Ito, which who is colour-blind tells apart; darker or brighter
// where the background asks for it.
inline constexpr char kReportStyle[] = R"(
:root { color-scheme: light; --bg:#fff; --panel:#fff; --fg:#1a1d21; --quiet:#555d66; --edge:#d4d9de; --grid:#e6e9ec;
  --durable:#d7ead9; --slower:#d6e8f7; --faster:#fbe0d3; --note:#fff4d6; --badge:#eceff2;
  --e0:#0072b2; --e1:#d55e00; --e2:#009e73; --e3:#b8578f; --e4:#d99a00; --e5:#3fa4dd; --e6:#4b3a9b; --e7:#8a5a2b;
  --e8:#6b7280; --e9:#7f9a0b; --e10:#a3123a; --e11:#0b5d5e; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --bg:#14171a; --panel:#1b1f23; --fg:#e8eaed; --quiet:#a6adb5; --edge:#3a4149; --grid:#2c3238;
    --durable:#1f4428; --slower:#1b3f5e; --faster:#5a3018; --note:#453a14; --badge:#2b3138;
    --e0:#4aa8e8; --e1:#ff7f32; --e2:#2cc596; --e3:#e58fc0; --e4:#f2b731; --e5:#90d2f8; --e6:#a594f2; --e7:#c9935c;
    --e8:#a9b1bb; --e9:#b5cf3d; --e10:#f0748f; --e11:#5fb8b4; } }
.e0 { color:var(--e0) } .e1 { color:var(--e1) } .e2 { color:var(--e2) } .e3 { color:var(--e3) } .e4 { color:var(--e4) }
.e5 { color:var(--e5) } .e6 { color:var(--e6) } .e7 { color:var(--e7) } .e8 { color:var(--e8) } .e9 { color:var(--e9) }
.e10 { color:var(--e10) } .e11 { color:var(--e11) }
* { box-sizing:border-box; -webkit-print-color-adjust:exact; print-color-adjust:exact }
body { margin:0 auto; padding:1.5rem clamp(.75rem,3vw,2.5rem) 4rem; max-width:1500px; background:var(--bg); color:var(--fg);
  font:16px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
h1 { font-size:1.9rem; line-height:1.2; margin:.2em 0 .5em } h2 { font-size:1.45rem; margin:2.2em 0 .4em; padding-top:.4em;
  border-top:2px solid var(--edge) } h3 { font-size:1.15rem; margin:1.8em 0 .3em }
p { max-width:75ch; margin:.4em 0 .8em } p.quiet { color:var(--quiet) }
a { color:var(--e0) }
nav a { margin-right:1.2em; white-space:nowrap }
dl { display:grid; grid-template-columns:max-content 1fr; gap:.15rem 1.2rem; margin:.6em 0 1em } dt { color:var(--quiet) }
dd { margin:0; overflow-wrap:anywhere }
.note { background:var(--note); border-left:4px solid var(--e4); padding:.5em .9em; margin:.8em 0; max-width:80ch }
.badge { display:inline-block; padding:.05em .6em; border-radius:1em; background:var(--badge); white-space:nowrap;
  border:1px dashed var(--quiet); font-size:.9em }
.badge.durable { background:var(--durable); border:1px solid var(--e2); font-weight:600 }
.charts { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr)); gap:1rem }
.chart { width:100%; max-width:600px; background:var(--panel); border:1px solid var(--edge); border-radius:6px; break-inside:avoid }
.sample { width:26px; height:16px; vertical-align:-2px }
svg text { font-family:inherit; font-size:12px; fill:var(--fg) }
svg .title { font-size:15px; font-weight:650 } svg .quiet, svg .tick { fill:var(--quiet) } svg .tick { font-size:11px }
svg .caption { fill:var(--quiet); font-size:11px; font-style:italic } svg .value { font-weight:600 }
svg .end { text-anchor:end } svg .mid { text-anchor:middle }
.axis { stroke:var(--quiet); stroke-width:1 } .grid { stroke:var(--grid); stroke-width:1 }
.bar { stroke:currentColor; stroke-width:1 } .whisker { stroke:var(--fg); stroke-width:1.5 }
.line { fill:none; stroke:currentColor; stroke-width:2; stroke-linejoin:round } .dashed { stroke-dasharray:5 3; stroke-width:1.7 }
.mark { fill:currentColor; stroke:var(--panel); stroke-width:.8 }
.mark.hollow { fill:var(--panel); stroke:currentColor; stroke-width:1.6 }
.scroll { overflow-x:auto; margin:.5em 0 1em }
table { border-collapse:collapse; font-variant-numeric:tabular-nums; font-size:.92rem }
th, td { padding:.28em .75em; text-align:right; border-bottom:1px solid var(--grid); white-space:nowrap }
th { border-bottom:2px solid var(--edge); color:var(--quiet); font-weight:600 } tr.first td { border-top:1px solid var(--quiet) } .text { text-align:left }
.engines td:last-child { white-space:normal; min-width:16em }
.faster, .slower, .alike { display:inline-block; min-width:4.2em; padding:.05em .5em; border-radius:4px }
.faster { background:var(--faster) } .slower { background:var(--slower) } .alike { background:var(--badge) }
details { margin:1em 0 } summary { cursor:pointer; color:var(--quiet) } summary:hover { color:var(--fg) }
#numbers ~ .scroll table { font-size:.78rem } #numbers ~ .scroll td, #numbers ~ .scroll th { padding:.22em .42em }
pre { white-space:pre-wrap; overflow-wrap:anywhere; background:var(--badge); padding:.8em 1em; border-radius:6px; font-size:.88rem }
@media (max-width:600px) { .engines thead { display:none } .engines tr { display:block; padding:.4em 0; border-bottom:1px solid var(--grid) }
  .engines td { display:block; border:0; padding:.1em 0 }
  dl { grid-template-columns:1fr } dd { margin-bottom:.4em } .badge { white-space:normal } }
@media print { body { padding:0; max-width:none; font-size:11pt } .charts { grid-template-columns:repeat(2,1fr) }
  h2, h3, p { break-after:avoid } tr { break-inside:avoid } nav { display:none }
  .scroll { overflow:visible } table { font-size:7pt } th, td { padding:.15em .3em } th { white-space:normal }
  #numbers ~ .scroll table { font-size:5pt } }
)";

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_STYLE_H_
