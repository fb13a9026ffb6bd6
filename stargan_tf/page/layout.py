"""The page's parts, and which of them does what."""

import abc
import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from stargan_tf.page import about
from stargan_tf.page.actions import Actions, sentence
from stargan_tf.page.files import new, store
from stargan_tf.page.session import Drawn, Session, spoken
from stargan_tf.serving.served_model import ServedModel

# Seconds that files are kept which were uploaded or drawn: as long as somebody may look at them.
_KEEP_FILES = 3600
# Below this size single pixels are shown as squares.
_SMALL = 64
# Shows the settings in the address and returns the link. Inside another page the address cannot be changed.
_LINK = """(query) => {
  try { history.replaceState(null, '', query); } catch {}
  return location.origin + location.pathname + query;
}"""
# On a phone the results are below what is chosen. Where there are none, what went wrong is shown.
_SHOW_RESULTS = """() => {
  const show = (tries) => setTimeout(() => {
    const results = document.querySelector('#shown');
    const problem = [...document.querySelectorAll('[role=alert]')].find((each) => each.checkVisibility());
    if (results.querySelector('img')) {
      if (results.getBoundingClientRect().top > 0.8 * innerHeight) results.scrollIntoView();
    } else if (problem) problem.scrollIntoView({block: 'center'});
    else if (tries) show(tries - 1);
  }, 100);
  show(20);
}"""

# Gradio would answer a file that is no image with a pop-up that goes away. The class is that of all problems.
REFUSE_OTHERS = """() => {
  const refuse = (event) => {
    const part = event.target.closest?.('#source, #reference');
    const file = (event.dataTransfer ?? event.target).files?.[0];
    if (!part || !file) return;
    part.parentElement.querySelector(`.refused.${part.id}`)?.remove();
    if (file.type.startsWith('image/')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const said = Object.assign(document.createElement('p'), {role: 'alert'});
    said.textContent = `The file '${file.name}' is not an image; choose a photograph, like a JPEG or PNG file.`;
    const problem = Object.assign(document.createElement('div'), {className: `problem refused ${part.id}`});
    problem.append(said);
    part.after(problem);
  };
  for (const kind of ['change', 'drop']) document.addEventListener(kind, refuse, true);
}"""


def build(model: ServedModel, examples: Sequence[Path] = (), provenance: bool = True) -> gr.Blocks:
    """Builds the page; whoever launches it gives it the theme and the style sheet.

    Args:
        model: which is asked for everything that is shown.
        examples: images that are offered as sources.
        provenance: whether images say in their metadata that they are synthetic.

    Returns:
        The page, not yet launched. One request at a time is worked on.

    Raises:
        ServerUnavailable: the model card cannot be had.
    """
    actions = Actions(model, provenance)
    name = model.card["name"]
    with gr.Blocks(title=f"{name}: try the model", analytics_enabled=False, delete_cache=(60, _KEEP_FILES)) as page:
        parts = _Parts(model, actions.styles, examples)
        _Wiring(parts, actions).connect_all(page)
    return page


class _Parts:
    """Everything that is seen, from top to bottom; made inside of `gr.Blocks`."""

    def __init__(self, model: ServedModel, styles: int, examples: Sequence[Path]):
        card = model.card
        small = ["pixels"] if max(card["image_size"]) < _SMALL else []
        self.problems: dict[str, gr.HTML] = {}
        self.session = gr.State(Session(domain=model.domains[0]))
        # Not in the tree of what is seen: the settings of a link, which a script shows as a link.
        self.query = gr.Textbox(visible=False)
        height, width = card["image_size"]
        gr.Markdown(
            f"# {card['name']}\nRedraws an image as {_list(model.domains)}, in endless styles. "
            f"Choose one; it is drawn at once, with {width} x {height} pixels."
        )
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self.source = _image("Source image", 240, "source")
                self._problem("source")
                if examples:
                    gr.Examples([str(path) for path in examples], self.source, label="Examples", examples_per_page=12)
                domains = [(spoken(domain), domain) for domain in model.domains]
                self.domain = gr.Radio(
                    domains, value=model.domains[0], label="Domain to turn it into", elem_id="domain"
                )
                with gr.Row():
                    self.next = gr.Button(
                        f"Next {styles} seeds", variant="primary", min_width=100, size="md", elem_id="next"
                    )
                    self.domains = gr.Button("All domains", min_width=100, size="md", elem_id="all-domains")
                    self.surprise = gr.Button("Surprise me", min_width=100, size="md", elem_id="surprise")
                self._problem("style")
                with gr.Column(elem_classes=["later"]):
                    self.psi = _Slider(
                        *(0, 1, 1),
                        step=0.05,
                        label="Variety (truncation psi)",
                        info="1 is full variety, 0 the typical style of the domain, whatever the seed.",
                        buttons=[],
                        elem_id="psi",
                    )
                    self.seed = gr.Number(
                        0, label="First seed", info="A seed always gives the same style.", elem_id="seed"
                    )
                    self.reference = _image("Reference image (optional)", 180, "reference")
                    gr.Markdown(
                        "Its style is drawn too. It is read as an image of the chosen domain, whatever it shows."
                    )
                    self._problem("reference")
            with gr.Column(scale=3, min_width=300):
                self.shown = gr.ImageSlider(
                    label="Source and translation",
                    type="filepath",
                    interactive=False,
                    buttons=["fullscreen"],
                    max_height=420,
                    elem_id="shown",
                    elem_classes=small,
                )
                with gr.Row():
                    self.image_file = gr.DownloadButton(
                        "Download image (PNG)", interactive=False, size="md", elem_id="image-file"
                    )
                    self.style_file = gr.DownloadButton(
                        "Download style", interactive=False, size="md", elem_id="style-file"
                    )
                self.styles = _gallery("Styles", "styles", small)
                with gr.Accordion("Between two styles", open=True, elem_id="between-styles", elem_classes=["later"]):
                    self.ends = _gallery("Styles A and B", "ends", small)
                    with gr.Row():
                        self.mark_a = gr.Button("Use shown style as A", size="sm", min_width=120, elem_id="mark-a")
                        self.mark_b = gr.Button("Use shown style as B", size="sm", min_width=120, elem_id="mark-b")
                    self.position = _Slider(
                        *(0, 1, 0), step=0.05, label="From style A (0) to style B (1)", buttons=[], elem_id="between"
                    )
                    self._problem("between")
                    self.animate = gr.Button("Animate from A to B and back", size="md", elem_id="animate")
                    self.animation = gr.Image(
                        label="From style A to style B and back",
                        type="filepath",
                        interactive=False,
                        visible=False,
                        height=260,
                        buttons=["download", "fullscreen"],
                        elem_id="animation",
                        elem_classes=small,
                    )
        self.link = gr.Textbox(
            label="Link to these settings",
            interactive=False,
            buttons=["copy"],
            elem_id="link",
            info="Domain, seed and psi; images, a reference and a mixture are not in it.",
        )
        with gr.Accordion("About this model", open=False, elem_id="about"):
            gr.Markdown(about.facts(card))

    def _problem(self, name: str) -> None:
        self.problems[name] = gr.HTML(visible=False, elem_id=f"{name}-problem", elem_classes=["problem"])


class _Wiring:
    """What happens when a part is used."""

    def __init__(self, parts: _Parts, actions: Actions):
        self._parts = parts
        self._actions = actions
        self._outputs = [value for value in vars(parts).values() if isinstance(value, gr.components.Component)]
        self._outputs += parts.problems.values()

    def connect_all(self, page: gr.Blocks) -> None:
        """Lets every part do what it is for."""
        parts, actions = self._parts, self._actions
        settings = [parts.domain, parts.seed, parts.psi]
        results = [parts.shown, parts.styles]
        page.load(self._begin, None, self._outputs, api_visibility="private").then(
            None, parts.query, parts.link, js=_LINK
        )
        drawing = [
            self._connect(parts.source.change, actions.choose_source, [parts.source], "source", results),
            self._connect(parts.reference.change, actions.choose_reference, [parts.reference], "reference", results),
            self._connect(parts.next.click, actions.draw_next, [], "style", results),
            self._connect(parts.surprise.click, actions.surprise, [], "style", results),
            self._connect(parts.domains.click, actions.draw_domains, [], "style", results),
            self._connect(parts.domain.input, actions.set, settings, "style", results),
        ]
        for event in drawing:
            event.then(js=_SHOW_RESULTS)
        for event in (parts.seed.submit, parts.seed.blur, parts.psi.input):
            self._connect(event, actions.set, settings, "style", results)
        self._connect(parts.position.input, actions.mix, [parts.position], "between", [parts.shown])
        self._connect(parts.mark_a.click, lambda session: actions.mark(session, 0), [], "between", [parts.ends])
        self._connect(parts.mark_b.click, lambda session: actions.mark(session, 1), [], "between", [parts.ends])
        self._connect(
            parts.animate.click,
            lambda session: actions.animate(session, new("between_two_styles.webp")),
            [],
            "between",
            [parts.animation],
        )

        def select(session: Session, event: gr.SelectData) -> dict[Any, Any]:
            return self._view(actions.select(session, event.index), session)

        self._listen(parts.styles.select, select, [], [parts.shown])

    def _begin(self, request: gr.Request) -> dict[Any, Any]:
        return self._view(self._actions.start(dict(request.query_params)), None)

    def _connect(
        self, event: Callable, action: Callable[..., Session], inputs: list[Any], box: str, busy: list[Any]
    ) -> Any:
        """Lets an event change the session; what goes wrong is shown in the box."""

        def told(before: Session, *entered: Any) -> dict[Any, Any]:
            try:
                return self._view(action(before, *entered), before)
            except Exception as error:
                return self._view(before.failed(box, sentence(error)), before)

        return self._listen(event, told, inputs, busy)

    def _listen(self, event: Callable, function: Callable, inputs: list[Any], busy: list[Any]) -> Any:
        parts = self._parts
        happened = event(
            function,
            [parts.session, *inputs],
            self._outputs,
            show_progress_on=busy,
            # Of the values that a dragged slider passes, only the last counts.
            trigger_mode="always_last",
            # One place in the queue for all events, so that the sessions of a user follow one another.
            concurrency_id="model",
            concurrency_limit=1,
            api_visibility="private",
        )
        return happened.then(None, parts.query, parts.link, js=_LINK)

    def _view(self, state: Session, before: Session | None) -> dict[Any, Any]:
        """Shows a session; what did not change is left alone, since drawing it anew would lose the focus."""
        parts = self._parts
        old = before or Session()
        updates: dict[Any, Any] = {parts.session: state}
        for name, box in parts.problems.items():
            problem = state.problems.get(name, "")
            updates[box] = gr.update(visible=bool(problem), value=f'<p role="alert">{html.escape(problem)}</p>')
        for component, chosen, earlier in (
            (parts.source, state.source, old.source),
            (parts.reference, state.reference, old.reference),
        ):
            if chosen is not earlier and chosen is not None:
                updates[component] = chosen.shown
        settings = {parts.domain: "domain", parts.seed: "first_seed", parts.psi: "psi", parts.query: "query"}
        for setting, name in settings.items():
            if getattr(state, name) != getattr(old, name):
                updates[setting] = getattr(state, name)
        if state.position is None:
            updates[parts.position] = 0
        if state.animation != old.animation:
            updates[parts.animation] = gr.update(visible=state.animation is not None, value=state.animation)
        if state.shown is not old.shown:
            updates |= self._shown(state)
        if state.drawn is not old.drawn:
            pictures = [
                (_png(style), style.name if not state.all_domains else spoken(style.domain)) for style in state.drawn
            ]
            label = "Domains" if state.all_domains else f"Styles of {spoken(state.domain)}"
            updates[parts.styles] = gr.update(value=pictures, label=label)
        if state.drawn is not old.drawn or state.shown is not old.shown:
            # Of a mixture none; gradio takes no None for that.
            selected = next((index for index, style in enumerate(state.drawn) if style is state.shown), -1)
            update = updates.setdefault(parts.styles, gr.update())
            update["selected_index"] = selected
        if state.drawn is not old.drawn or state.marked != old.marked:
            ends = zip("AB", state.ends, strict=True) if state.drawn else ()
            updates[parts.ends] = [(_png(style), f"{end}: {style.label}") for end, style in ends]
        return updates

    def _shown(self, state: Session) -> dict[Any, Any]:
        """The style shown large beside the source, with its downloads."""
        parts, style = self._parts, state.shown
        if style is None or state.source is None:
            off = gr.update(value=None, interactive=False)
            return {
                parts.shown: gr.update(value=None, label="Source and translation"),
                parts.image_file: off,
                parts.style_file: off,
            }
        file, png = _file_name(style), _png(style)
        return {
            parts.shown: gr.update(value=(store(state.source.preview, "source.png"), png), label=style.label),
            parts.image_file: gr.update(value=png, interactive=True),
            parts.style_file: gr.update(
                value=store(self._actions.style_file(style).encode(), f"{file}.json"), interactive=True
            ),
        }


def _list(domains: Sequence[str]) -> str:
    names = [spoken(domain) for domain in domains]
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _gallery(label: str, name: str, classes: list[str]) -> gr.Gallery:
    return gr.Gallery(
        label=label,
        columns=4,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        object_fit="contain",
        elem_id=name,
        elem_classes=classes,
    )


def _derived(component: type, preprocess: Callable[[Any, Any], Any]) -> Any:
    """Derives a component that takes what the browser sends otherwise; Gradio builds components anew by their class.

    Not by a class statement, at which Gradio writes a file of types beside this one, where nobody may write.
    """
    attributes = {"preprocess": preprocess, "__module__": __name__}
    return abc.ABCMeta.__new__(type(component), component.__name__, (component,), attributes)


# An image whose file is passed on: the page's own reading has sentences for what is damaged, and knows more formats.
_ImageFile = _derived(gr.Image, lambda self, payload: payload and payload.path)
# A slider whose number may be any: Gradio would refuse a wrong one with a pop-up named "Error".
_Slider = _derived(gr.Slider, lambda self, payload: payload)


def _image(label: str, height: int, name: str) -> gr.Image:
    return _ImageFile(label=label, type="filepath", sources=["upload", "clipboard"], height=height, elem_id=name)


def _file_name(style: Drawn) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in style.label).split())


def _png(style: Drawn) -> str:
    return store(style.image, f"{_file_name(style)}.png")
