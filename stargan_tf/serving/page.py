"""A page to try a model in the browser: source, domain, styles drawn or of a reference, and mixtures of them."""

import base64
import functools
import html
import io
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from stargan_tf.data.images import UnreadableImage, decode_image, fit_image
from stargan_tf.errors import UserError
from stargan_tf.serving.served_model import InvalidRequest, ServedModel

STYLES = 8
_ROWS_LIMIT = "max_rows"

# Below this size single pixels are shown as squares, since smoothing would hide what the model drew.
_SMALL = 128
# The files of these formats go to the model as they are; others, if Pillow reads them, as PNG.
_DECODED_BY_MODEL = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_MAX_SEED = 2**53 - 1  # browsers compute with doubles
_MAX_FILE = 32 * 2**20  # bytes
# Seconds that a file is kept which was uploaded; it is read at once.
_KEEP_UPLOADS = 600

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

# What gradio leaves open for the keyboard and for screen readers: it names all places for files alike, and gives each
# radio button a group of its own, in which arrow keys find no neighbour.
SCRIPT = """() => {
  const name = () => {
    for (const [id, what] of [['source', 'Source image'], ['reference', 'Reference image']]) {
      const better = {'Click to upload or drop files': 'choose or drop a file', 'Clear': 'remove'};
      for (const old in better) {
        document.querySelector(`#${id} [aria-label="${old}"]`)?.setAttribute('aria-label', `${what}: ${better[old]}`);
      }
    }
    const domain = document.querySelector('#domain');
    domain?.setAttribute('role', 'radiogroup');
    domain?.setAttribute('aria-label', 'Domain');
    // Only the dialog is narrowed: what is dropped all the same gets a sentence.
    for (const input of document.querySelectorAll('input[type=file]')) input.accept = 'image/*';
    for (const radio of document.querySelectorAll('#domain input:not([name=domain])')) radio.name = 'domain';
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
  document.addEventListener('input', (event) => {
    if (!event.target.closest('#between')) return;
    for (const style of document.querySelectorAll('#styles input')) style.checked = false;
  });
}"""

# On a phone the results are below everything that is chosen.
_SHOW_RESULTS = """() => setTimeout(() => {
  const results = document.querySelector('#styles');
  if (results && results.getBoundingClientRect().top > 0.8 * window.innerHeight) results.scrollIntoView();
}, 100)"""

# Not "change", which is silent when the style is clicked that was chosen before a mixture was shown.
_SELECT = """element.addEventListener('click', (event) => {
  if (event.target.name === 'style') trigger('select', {index: Number(event.target.value)});
});"""


@dataclass(frozen=True)
class Chosen:
    """An image that the user chose.

    Args:
        name: of the file.
        data: encoded, for the model.
        preview: what the model sees of it, as PNG.
    """

    name: str
    data: bytes
    preview: bytes


@dataclass(frozen=True)
class Drawn:
    """The source in a style.

    Args:
        name: where in its domain the style is from.
        domain: of the style; "" if it is a mixture.
        code: the style code, [style_dim].
        image: encoded as PNG.
    """

    name: str
    domain: str
    code: np.ndarray
    image: bytes

    @property
    def label(self) -> str:
        """What is written under the image."""
        return f"{self.domain}, {self.name}" if self.domain else self.name


@dataclass(frozen=True)
class Session:
    """What one user of the page sees.

    Args:
        source: the image that is translated.
        reference: the image whose style is offered besides the drawn ones.
        first_seed: of the drawn styles.
        drawn: the source in the reference's style, if there is one, and in the drawn styles.
        shown: the one shown large.
        marked: styles A and B as far as the user chose them.
        position: between A and B, from 0 to 1, if a mixture is shown; else None.
        problems: sentences, by the part of the page that they stand in.
    """

    source: Chosen | None = None
    reference: Chosen | None = None
    first_seed: int = 0
    drawn: tuple[Drawn, ...] = ()
    shown: Drawn | None = None
    marked: tuple[Drawn | None, Drawn | None] = (None, None)
    position: float | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    def solved(self) -> "Session":
        """Returns the session after something worked: only files that could not be taken remain a problem."""
        files = {"source": self.source, "reference": self.reference}
        return replace(
            self, problems={name: text for name, text in self.problems.items() if files.get(name, self) is None}
        )

    def failed(self, part: str, problem: str) -> "Session":
        """Returns the session with a problem in a part of the page."""
        solved = self.solved()
        return replace(solved, problems={**solved.problems, part: problem})

    @property
    def ends(self) -> tuple[Drawn, Drawn]:
        """Styles A and B; those that the user did not choose are the first drawn."""
        return tuple(marked or default for marked, default in zip(self.marked, self.drawn, strict=False))


class Actions:
    """What the user can do: each method makes a new session of the old one and what was entered.

    Args:
        model: which is asked for everything that is shown.
    """

    def __init__(self, model: ServedModel):
        self._model = model
        self._image_size = tuple(model.card["image_size"])
        # At least two, since there must be something between them.
        self.styles = max(2, min(STYLES, model.card.get("limits", {}).get(_ROWS_LIMIT, STYLES)))

    def choose_source(
        self, session: Session, path: str | None, domain: str, seed: int | None, psi: float | None
    ) -> Session:
        """Takes another source, and draws it if one was drawn before or a reference waits for it."""
        others = {part: problem for part, problem in session.problems.items() if part != "source"}
        empty = Session(reference=session.reference, marked=session.marked, problems=others).solved()
        if path is None:
            return empty
        try:
            source = self._read(path, domain)
        except Exception as error:
            return empty.failed("source", sentence(error))
        chosen = replace(session, source=source, problems=others).solved()
        drawable = session.drawn or session.reference
        return self._draw_anew(chosen, domain, seed, psi) if drawable else chosen

    def choose_reference(
        self, session: Session, path: str | None, domain: str, seed: int | None, psi: float | None
    ) -> Session:
        """Takes another reference and shows the source in its style."""
        others = {part: problem for part, problem in session.problems.items() if part != "reference"}
        without = replace(session, reference=None, problems=others).solved()
        if path is None:
            return self._draw_anew(without, domain, seed, psi) if session.drawn else without
        try:
            reference = self._read(path, domain)
        except Exception as error:
            drawn = self._draw_anew(without, domain, seed, psi) if session.drawn else without
            return drawn.failed("reference", sentence(error))
        chosen = replace(without, reference=reference)
        if session.source is None:
            missing = "Choose a source image too; it is then drawn in the style of this reference."
            return chosen.failed("reference", missing)
        return self._draw_anew(replace(chosen, shown=None, position=None), domain, seed, psi)

    def draw(self, session: Session, domain: str, seed: int | None, psi: float | None) -> Session:
        """Draws the source in the styles of consecutive seeds; what was shown before stays so, if it still is there."""
        if session.source is None:
            raise UserError("choose a source image first; it is what gets translated")
        if seed is None or not 0 <= seed <= _MAX_SEED:
            raise UserError(f"the first seed is {_entered(seed)}; it must be a whole number from 0 to {_MAX_SEED}")
        if psi is None or not 0 <= psi <= 1:
            raise UserError(f"psi is {_entered(psi)}; it must be between 0 and 1")
        source, seeds = session.source.data, [int(seed) + index for index in range(self.styles)]
        translations = self._model.translate_latent(source, domain, seeds, psi)
        drawn = [
            Drawn(f"seed {seed}", domain, translation.style, translation.image)
            for seed, translation in zip(seeds, translations, strict=True)
        ]
        if session.reference is not None:
            (translation,) = self._model.translate_references(source, domain, [session.reference.data])
            drawn.insert(0, Drawn("reference", domain, translation.style, translation.image))
        chosen = [end for end in session.marked if end is not None]
        images = iter(self._model.translate_styles(source, np.stack([end.code for end in chosen])) if chosen else ())
        marked = tuple(end and replace(end, image=next(images).image) for end in session.marked)
        name = session.shown.name if session.shown else None
        shown = next((style for style in drawn if style.name == name), drawn[0])
        session = replace(session, drawn=tuple(drawn), shown=shown, marked=marked, first_seed=int(seed)).solved()
        return session if session.position is None else self.mix(session, session.position)

    def draw_if_drawn(self, session: Session, domain: str, seed: int | None, psi: float | None) -> Session:
        """Draws again with other settings; nothing if nothing was drawn yet."""
        return self.draw(session, domain, seed, psi) if session.drawn else session

    def draw_next(self, session: Session, domain: str, seed: int | None, psi: float | None) -> Session:
        """Draws the styles of the seeds that follow."""
        if session.drawn:
            seed = session.first_seed + self.styles
        return self.draw(replace(session, position=None), domain, seed, psi)

    def select(self, session: Session, index: int) -> Session:
        """Shows one of the drawn styles large."""
        if not 0 <= index < len(session.drawn):  # the page was quicker than the model
            return session
        return replace(session, shown=session.drawn[index], position=None).solved()

    def mix(self, session: Session, position: float | None) -> Session:
        """Shows the source in a style between A (0) and B (1)."""
        if session.source is None or not session.drawn:
            raise UserError("draw styles first; then there is something between them")
        if position is None or not 0 <= position <= 1:
            raise UserError(f"the position is {_entered(position)}; it must be between 0 (style A) and 1 (style B)")
        start, end = session.ends
        code = (1 - position) * start.code + position * end.code
        (translation,) = self._model.translate_styles(session.source.data, code[None])
        shares = f"{1 - position:.0%} A ({start.label}) + {position:.0%} B ({end.label})"
        shown = Drawn(shares, "", translation.style, translation.image)
        return replace(session, shown=shown, position=position).solved()

    def mark(self, session: Session, which: int) -> Session:
        """Makes the style that is shown the style A (0) or B (1)."""
        shown = session.shown
        if shown is None:
            return session
        if session.position is not None:
            shown = replace(shown, name="a mixture")  # of A and B as they were, which may not be there any more
        marked = (shown, session.marked[1]) if which == 0 else (session.marked[0], shown)
        return replace(session, marked=marked).solved()

    def _draw_anew(self, session: Session, domain: str, seed: int | None, psi: float | None) -> Session:
        """Draws what was just chosen; if that fails, at least nothing is shown that belongs to other images."""
        try:
            return self.draw(session, domain, seed, psi)
        except Exception as error:
            return replace(session, drawn=(), shown=None, position=None).failed("style", sentence(error))

    def _read(self, path: str, domain: str) -> Chosen:
        """Reads an image; raises UserError if the model cannot take it."""
        name, size = Path(path).name, Path(path).stat().st_size
        if size > _MAX_FILE:
            raise UserError(f"the file {name!r} has {size / 2**20:.0f} MiB; at most {_MAX_FILE // 2**20} MiB are taken")
        data = Path(path).read_bytes()
        try:
            if not data.startswith(_DECODED_BY_MODEL):
                data = _png(decode_image(data))
            # Asked first, since the model refuses huge images before it decodes them.
            self._model.encode_styles([data], domain)
            return Chosen(name, data, _png(fit_image(decode_image(data), self._image_size)))
        except UnreadableImage as error:
            raise UserError(f"the file {name!r} cannot be read: {error}") from None
        except InvalidRequest as error:
            raise UserError(str(error).replace("image_bytes", f"the file {name!r}", 1)) from None


def sentence(error: Exception) -> str:
    """Returns what a user is told of an error; what is not his mistake is printed, for whoever runs the page."""
    if not isinstance(error, UserError):
        traceback.print_exception(error)
        return "The page failed at this; whoever runs it finds the reason where it was started."
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


class Markup:
    """The parts of the page that are written as HTML.

    Args:
        image_size: height and width of the model's images.
    """

    def __init__(self, image_size: tuple[int, int]):
        self._height, self._width = image_size

    def seen(self, chosen: Chosen) -> str:
        """What the model sees of an image."""
        size = f"{self._width} x {self._height} pixels"
        return (
            f'<figure class="seen">{self._image(chosen.preview, "What the model sees")}<figcaption>'
            f"The model sees the centre of {html.escape(chosen.name)} at {size}.</figcaption></figure>"
        )

    def thumbnails(self, session: Session) -> str:
        """The drawn styles, as radio buttons: so the keyboard moves among them as everywhere else."""
        items = [
            f'<label class="{style.name.partition(" ")[0]}"><input type="radio" name="style" value="{index}"'
            f"{' checked' if style is session.shown else ''}>"
            f"{self._image(style.image, '')}<span>{style.name}</span></label>"
            for index, style in enumerate(session.drawn)
        ]
        legend = f"Styles of {html.escape(session.drawn[-1].domain)}"
        return f'<fieldset class="styles"><legend>{legend}</legend>{"".join(items)}</fieldset>'

    def shown(self, session: Session) -> str:
        """The style shown large, with its downloads."""
        style = session.shown
        label, file = html.escape(style.label), re.sub(r"\W+", "_", style.label).strip("_")
        code = io.BytesIO()
        np.save(code, style.code)
        return (
            f'<figure class="shown">{self._image(style.image, f"The source as {label}")}'
            f'<figcaption aria-live="polite">{label}</figcaption></figure><div class="downloads">'
            f'<a download="{file}.png" href="{_url("image/png", style.image)}">Download image (PNG)</a>'
            f'<a download="{file}.npy" href="{_url("application/octet-stream", code.getvalue())}">'
            "Download style code (.npy)</a></div>"
        )

    def ends(self, session: Session) -> str:
        """Styles A and B."""
        figures = [
            f"<figure>{self._image(style.image, '')}<figcaption><b>{name}</b><br>{html.escape(style.label)}"
            "</figcaption></figure>"
            for name, style in zip("AB", session.ends, strict=True)
        ]
        return f'<div class="ends">{"".join(figures)}</div>'

    def problem(self, text: str) -> str:
        """A sentence about what went wrong, or nothing."""
        return f'<p class="problem" role="alert">{html.escape(text)}</p>' if text else ""

    def facts(self, card: Mapping[str, Any]) -> str:
        """The main facts of a model card."""
        facts = {
            "Name": card["name"],
            "Version": card.get("version"),
            "Trained for": f"{card['step']:,} steps" if "step" in card else None,
            "Domains": ", ".join(card["domains"]),
            "Image size": f"{self._width} x {self._height} pixels (width x height)",
            "Style code": f"{card['style_dim']} numbers" if "style_dim" in card else None,
            "Licence": card.get("licence"),
        }
        rows = [
            f'<tr><th scope="row">{name}</th><td>{html.escape(str(value))}</td></tr>'
            for name, value in facts.items()
            if value is not None
        ]
        return f'<table class="facts">{"".join(rows)}</table>'

    def _image(self, image: bytes, description: str) -> str:
        pixels = ' class="pixels"' if max(self._height, self._width) < _SMALL else ""
        size = f'width="{self._width}" height="{self._height}"'
        return f'<img{pixels} {size} alt="{description}" src="{_url("image/png", image)}">'


def build(model: ServedModel) -> gr.Blocks:
    """Builds the page; whoever launches it gives it `THEME`, `CSS` and `SCRIPT`.

    Args:
        model: which is asked for everything that is shown.

    Returns:
        The page, not yet launched. One request at a time is worked on.

    Raises:
        ServerUnavailable: the model card cannot be had.
    """
    card = model.card
    actions = Actions(model)
    markup = Markup(tuple(card["image_size"]))
    boxes = {}

    def text(tag: str, content: str) -> None:
        gr.HTML(f"<{tag}>{content}</{tag.split()[0]}>")

    def problem_box(name: str) -> None:
        boxes[name] = gr.HTML(visible=False, elem_id=f"{name}-problem")

    with gr.Blocks(
        title=f"{card['name']}: try the model", analytics_enabled=False, delete_cache=(60, _KEEP_UPLOADS)
    ) as page:
        session = gr.State(Session())
        text('h1 class="title"', html.escape(card["name"]))
        text('p class="lead"', "Turns an image of one domain into images of the others, in endless styles.")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                text('h2 class="step"', "1. Choose an image")
                source = gr.File(label="Source image", height=140, elem_id="source")
                problem_box("source")
                source_seen = gr.HTML(visible=False, elem_id="source-seen")
                text('h2 class="step"', "2. Choose a domain")
                domain = gr.Radio(list(model.domains), value=model.domains[0], label="Domain", elem_id="domain")
                with gr.Row():
                    draw = gr.Button("Draw styles", variant="primary", min_width=120, elem_id="draw")
                    following = gr.Button(f"Next {actions.styles} seeds", min_width=120, elem_id="next")
                problem_box("style")
                psi = gr.Slider(
                    *(0, 1, 1),
                    step=0.05,
                    label="Truncation psi",
                    info="1 is full variety, 0 the typical style.",
                    buttons=[],
                    elem_id="psi",
                )
                seed = gr.Number(
                    0, precision=0, label="First seed", info="A seed always gives the same style.", elem_id="seed"
                )
                text('h2 class="step"', "3. Take the style of another image (optional)")
                reference = gr.File(label="Reference image", height=140, elem_id="reference")
                problem_box("reference")
                reference_seen = gr.HTML(visible=False, elem_id="reference-seen")
            with gr.Column(scale=3, min_width=300):
                welcome = "Choose a source image and a domain, then press <b>Draw styles</b>."
                hint = gr.HTML(f'<p class="hint">{welcome}</p>', elem_id="hint")
                with gr.Column(visible=False, elem_id="results") as results:
                    thumbnails = gr.HTML(js_on_load=_SELECT, elem_id="styles")
                    shown = gr.HTML(elem_id="shown")
                    text('h2 class="step"', "Between two styles")
                    ends = gr.HTML(elem_id="ends")
                    position = gr.Slider(
                        *(0, 1, 0), step=0.05, label="From style A (0) to style B (1)", buttons=[], elem_id="between"
                    )
                    problem_box("between")
                    with gr.Row():
                        mark_a = gr.Button("Use shown style as A", size="sm", min_width=120, elem_id="mark-a")
                        mark_b = gr.Button("Use shown style as B", size="sm", min_width=120, elem_id="mark-b")
        for slider in (psi, position):
            # Beside a slider a number can be typed; gradio would refuse a wrong one with a pop-up named "Error".
            slider.preprocess = lambda number: number
        with gr.Accordion("About this model", open=False, elem_id="about"):
            gr.HTML(markup.facts(card))

        def view(state: Session, before: Session) -> dict[Any, Any]:
            """Shows a session; what did not change is left alone, since drawing it anew would lose the focus."""
            updates = {
                session: state,
                hint: gr.update(visible=not state.drawn),
                results: gr.update(visible=bool(state.drawn)),
            }
            for name, box in boxes.items():
                problem = state.problems.get(name, "")
                updates[box] = gr.update(visible=bool(problem), value=markup.problem(problem))
            for seen, chosen, old in (
                (source_seen, state.source, before.source),
                (reference_seen, state.reference, before.reference),
            ):
                if chosen is not old:
                    updates[seen] = gr.update(visible=bool(chosen), value=markup.seen(chosen) if chosen else "")
            if state.drawn:
                updates |= {shown: markup.shown(state), ends: markup.ends(state)}
                if state.drawn is not before.drawn:
                    updates[thumbnails] = markup.thumbnails(state)
            if state.first_seed != before.first_seed:
                updates[seed] = state.first_seed
            return updates

        outputs = [session, hint, results, *boxes.values(), source_seen, reference_seen, shown, ends, thumbnails, seed]

        def connect(
            events: list[Any], action: Callable[..., Session], inputs: list[Any], box: str, busy: list[Any]
        ) -> Any:
            """Has events change the session; what goes wrong is told in the box."""

            @functools.wraps(action)
            def told(before: Session, *entered):
                try:
                    return view(action(before, *entered), before)
                except Exception as error:
                    return view(before.failed(box, sentence(error)), before)

            return gr.on(
                events,
                told,
                [session, *inputs],
                outputs,
                show_progress_on=busy,
                # Of the values that a dragged slider passes, only the last counts.
                trigger_mode="always_last",
                # One place in the queue for all events, so that the sessions of a user follow one another.
                concurrency_id="model",
                concurrency_limit=1,
                api_visibility="private",
            )

        def select(state: Session, event: gr.EventData) -> Session:
            return actions.select(state, event.index)

        settings, drawing = [domain, seed, psi], [hint, thumbnails]
        connect([source.change], actions.choose_source, [source, *settings], "source", [source, *drawing])
        asked = [
            connect(
                [reference.change], actions.choose_reference, [reference, *settings], "reference", [reference, *drawing]
            ),
            connect([draw.click, seed.submit], actions.draw, settings, "style", drawing),
            connect([following.click], actions.draw_next, settings, "style", drawing),
        ]
        for event in asked:
            event.then(js=_SHOW_RESULTS)
        connect([domain.input, psi.change], actions.draw_if_drawn, settings, "style", drawing)
        connect([thumbnails.select], select, [], "style", [shown])
        connect([position.change], actions.mix, [position], "between", [shown])
        connect([mark_a.click], lambda state: actions.mark(state, 0), [], "between", [ends])
        connect([mark_b.click], lambda state: actions.mark(state, 1), [], "between", [ends])
    return page


def _entered(number: float | None) -> str:
    return "empty" if number is None else f"{number:g}" if isinstance(number, float) else str(number)


def _png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def _url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
