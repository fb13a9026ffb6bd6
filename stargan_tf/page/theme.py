"""How the page looks."""

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
.gradio-container { width: 100% !important; max-width: 1180px !important; margin: 0 auto !important; }
.gradio-container .html-container { padding: 0; }
.prose h1.title { font-size: 1.6rem; font-weight: 650; margin: 0; overflow-wrap: anywhere; }
.prose p.lead { color: var(--body-text-color-subdued); margin: 0; }
.prose h2.step { font-size: 1.05rem; font-weight: 600; margin: .35rem 0 0; }
p.problem { color: #991b1b; background: #fef2f2; border: 1px solid #fca5a5; border-left-width: 4px;
  border-radius: 6px; padding: .5rem .75rem; margin: 0; overflow-wrap: anywhere; }
.dark p.problem { color: #fecaca; background: #450a0a; border-color: #991b1b; }
p.hint { border: 2px dashed var(--border-color-primary); border-radius: 10px; padding: 3rem 1.5rem; margin: 0;
  text-align: center; color: var(--body-text-color-subdued); }
.pixels { image-rendering: pixelated; }
figure.seen { display: flex; align-items: center; gap: .75rem; margin: 0; }
figure.seen img { width: 88px; height: auto; border-radius: 6px; }
figure.seen figcaption { font-size: .875rem; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
fieldset.styles { border: 0; margin: 0; padding: 0; min-width: 0; display: grid; gap: .5rem;
  grid-template-columns: repeat(4, minmax(0, 1fr)); }
fieldset.styles:has(label.reference) { grid-template-columns: repeat(5, minmax(0, 1fr)); }
fieldset.styles label.reference { grid-row: span 2; align-self: center; }
fieldset.styles legend { font-weight: 600; margin-bottom: .5rem; padding: 0; }
fieldset.styles label { position: relative; display: block; cursor: pointer; border: 3px solid transparent;
  border-radius: 10px; padding: 3px; text-align: center; font-size: .8125rem; }
fieldset.styles label:hover { border-color: var(--border-color-primary); }
fieldset.styles input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0;
  cursor: pointer; }
fieldset.styles img { width: 100%; height: auto; border-radius: 6px; display: block; }
fieldset.styles label:has(input:checked) { border-color: var(--primary-600); background: var(--background-fill-primary);
  font-weight: 600; }
fieldset.styles label:has(input:focus-visible), .gradio-container button:focus-visible,
.gradio-container a:focus-visible, .gradio-container input:is([type=range], [type=number]):focus-visible,
.gradio-container label:has(input[type=radio]:focus-visible) { outline: 3px solid var(--primary-500) !important;
  outline-offset: 2px; }
figure.shown { margin: 0; }
figure.shown > img { width: 100%; max-width: 400px; height: auto; border-radius: 10px; display: block; margin: 0 auto; }
figure.shown figcaption { text-align: center; font-weight: 600; margin: .5rem 0 0; overflow-wrap: anywhere; }
.downloads { display: flex; margin-top: .6rem; flex-wrap: wrap; gap: .5rem; justify-content: center; }
.downloads a { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: .5rem .9rem;
  color: var(--body-text-color); background: var(--button-secondary-background-fill); text-decoration: none;
  font-size: .9375rem; }
.downloads a:hover { border-color: var(--primary-600); }
.ends { display: flex; justify-content: space-between; gap: 1rem; }
.ends figure { display: flex; align-items: center; gap: .6rem; margin: 0; min-width: 0; }
.ends figure:last-child { flex-direction: row-reverse; text-align: right; }
.ends img { width: 56px; height: auto; border-radius: 6px; flex: none; }
.ends figcaption { font-size: .875rem; overflow-wrap: anywhere; }
.prose table.facts { border-collapse: collapse; font-size: .9375rem; border: 0; margin: 0; }
.prose table.facts :is(tr, th, td) { border: 0; text-align: left; vertical-align: top; background: none; }
.prose table.facts :is(th, td) { padding: .2rem 1.25rem .2rem 0; }
.prose table.facts th { font-weight: 500; color: var(--body-text-color-subdued); white-space: nowrap; }
footer { display: none !important; }
@media (max-width: 640px) {
  p.hint { padding: 1.25rem; }
  fieldset.styles:has(label.reference) { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  fieldset.styles label.reference { grid-row: auto; }
}
"""
