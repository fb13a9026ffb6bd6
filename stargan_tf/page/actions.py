"""What a user of the page can do."""

import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import UnreadableImage, read_image, to_png
from stargan_tf.page.session import Chosen, Drawn, Session
from stargan_tf.serving.served_model import InvalidRequest, ServedModel

STYLES = 8
_MAX_SEED = 2**53 - 1  # browsers compute with doubles
_MAX_FILE = 32 * 2**20  # bytes


class Actions:
    """What the user can do: each method returns a new session, made of the old one and of what was entered.

    Args:
        model: which is asked for everything that is shown.
    """

    def __init__(self, model: ServedModel):
        self._model = model
        self._image_size = tuple(model.card["image_size"])
        # At least two, since there must be something between them.
        self.styles = max(2, min(STYLES, model.card.get("limits", {}).get("max_rows", STYLES)))

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
        start, end = (end and replace(end, image=next(images).image) for end in session.marked)
        name = session.shown.name if session.shown else None
        shown = next((style for style in drawn if style.name == name), drawn[0])
        session = replace(session, drawn=tuple(drawn), shown=shown, marked=(start, end), first_seed=int(seed)).solved()
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
        try:
            data = self._model.sendable(Path(path).read_bytes())
            # Asked first, since the model refuses huge images before it decodes them.
            self._model.encode_styles([data], domain)
            return Chosen(name, data, to_png(read_image(data, self._image_size, self._model.image_config)))
        except UnreadableImage as error:
            raise UserError(f"the file {name!r} cannot be read: {error}") from None
        except InvalidRequest as error:
            raise UserError(str(error).replace("image_bytes", f"the file {name!r}", 1)) from None


def sentence(error: Exception) -> str:
    """Returns what the user is told of an error; one that is no user's mistake is printed for whoever runs the page."""
    if not isinstance(error, UserError):
        traceback.print_exception(error)
        return "The page failed at this; whoever runs it finds the reason where it was started."
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _entered(number: float | None) -> str:
    return "empty" if number is None else f"{number:g}" if isinstance(number, float) else str(number)
