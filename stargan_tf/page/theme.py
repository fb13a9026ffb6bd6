"""How the page looks, as far as Gradio does not say it."""

import gradio as gr

THEME = gr.themes.Default(
    primary_hue="indigo",
    neutral_hue="slate",
    # Names alone: gradio's own fonts are fetched from Google.
    font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
).set(
    # Gradio's greys are too pale to be read easily.
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_600",
    block_label_text_color_dark="*neutral_300",
)

CSS = """
/* Clipped, since what is hidden would scroll, and nothing stay in sight. */
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; overflow: clip !important;
  width: 100%; min-width: 0 !important; }
.problem p { color: #991b1b; background: #fef2f2; border-left: 4px solid #dc2626; border-radius: 6px; margin: 0;
  padding: .5rem .75rem; overflow-wrap: anywhere; }
.dark .problem p { color: #fecaca; background: #450a0a; }
/* Smoothed, shapes of few pixels would be a blur; photographs are smoothed. */
.pixels img { image-rendering: pixelated; }
/* As high as what it shows, below its label, and as narrow as a phone. */
.gradio-container .grid-wrap { min-height: 0; max-height: none; overflow: hidden; padding-top: 2rem; }
.gradio-container .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)); }
#animation :is(img, button, .image-frame) { width: 100%; height: 100%; object-fit: contain !important; }
.gradio-container .caption-label { max-width: 100%; padding: 0 .25rem; white-space: normal; }
#ends button { pointer-events: none; }
#domain label span { white-space: normal; }
#about :is(td, th) { overflow-wrap: normal; word-break: normal; }
#about table { display: block; overflow-x: auto; }
/* The result stays in sight where there is room, and comes on a phone before what few need. */
@media (min-height: 900px), (max-width: 640px) and (min-height: 700px) {
  #shown { position: sticky; top: 0; z-index: 99; } }
@media (max-width: 640px) {
  .row:has(> .column > #shown) { flex-direction: column; }
  .column:has(> #shown), .column:has(> #source) { display: contents; }
  .later { order: 1; } }
/* What a finger can hit. */
.gradio-container :is(button, label:has(> input[type=radio])) { min-height: 44px; align-items: center; }
.gradio-container button[aria-label] { min-width: 44px; }
.gradio-container :is(.tab-like-container, input[type=number]) { height: 44px; }
footer { display: none !important; }
"""
