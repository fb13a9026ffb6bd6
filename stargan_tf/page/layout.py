"""The page's parts, and which of them does what."""

import functools
import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from stargan_tf.page import scripts
from stargan_tf.page.actions import Actions, sentence
from stargan_tf.page.markup import Markup
from stargan_tf.page.session import Session
from stargan_tf.serving.served_model import ServedModel

# Seconds that a file is kept which was uploaded; it is read at once.
_KEEP_UPLOADS = 600


def build(model: ServedModel) -> gr.Blocks:
    """Builds the page; whoever launches it gives it the theme, the style sheet and `scripts.ON_LOAD`.

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
                    thumbnails = gr.HTML(js_on_load=scripts.SELECT, elem_id="styles")
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
            """Lets events change the session; what goes wrong is shown in the box."""

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
            event.then(js=scripts.SHOW_RESULTS)
        connect([domain.input, psi.change], actions.draw_if_drawn, settings, "style", drawing)
        connect([thumbnails.select], select, [], "style", [shown])
        connect([position.change], actions.mix, [position], "between", [shown])
        connect([mark_a.click], lambda state: actions.mark(state, 0), [], "between", [ends])
        connect([mark_b.click], lambda state: actions.mark(state, 1), [], "between", [ends])
    return page
