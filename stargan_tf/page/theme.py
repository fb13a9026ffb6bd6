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
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
.problem p { color: #991b1b; background: #fef2f2; border-left: 4px solid #dc2626; border-radius: 6px; margin: 0;
  padding: .5rem .75rem; overflow-wrap: anywhere; }
.dark .problem p { color: #fecaca; background: #450a0a; }
/* Smoothed, shapes of few pixels would be a blur; photographs are smoothed. */
.pixels img { image-rendering: pixelated; }
/* As high as what it shows. */
.gradio-container .grid-wrap { min-height: 0; max-height: none; }
/* What a finger can hit. */
.gradio-container :is(button, label:has(> input[type=radio])) { min-height: 44px; align-items: center; }
.gradio-container button[aria-label] { min-width: 44px; }
.gradio-container :is(.tab-like-container, input[type=number]) { height: 44px; }
footer { display: none !important; }
"""
