"""What a user of the page can do."""

import hashlib
import secrets
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import UnreadableImage, decode_image, read_image, to_png
from stargan_tf.inference import provenance, style_file
from stargan_tf.inference.video import write_video
from stargan_tf.page.files import store
from stargan_tf.page.session import Chosen, Drawn, Session
from stargan_tf.serving.served_model import InvalidRequest, ServedModel, Translation

STYLES = 8
_MAX_SEED = 2**53 - 1  # browsers compute with doubles
_MAX_SURPRISE = 10_000  # a number that a person can remember
_MAX_FILE = 32 * 2**20  # bytes
_FRAMES = 25  # from style A to style B
_FRAMES_A_SECOND = 12
# What every browser shows.
_SHOWN_BY_BROWSERS = (".png", ".jpg", ".jpeg", ".webp", ".gif")


class Actions:
    """What the user can do: each method returns a new session, made of the old one and of what was entered.

    Args:
        model: which is asked for everything that is shown.
        provenance: whether images say in their metadata that they are synthetic.
    """

    def __init__(self, model: ServedModel, provenance: bool = True):
        self._model = model
        self._provenance = provenance
        self._image_size = tuple(model.card["image_size"])
        # At least two, since there must be something between them.
        self.styles = max(2, min(STYLES, model.card.get("limits", {}).get("max_rows", STYLES)))

    def start(self, query: Mapping[str, str]) -> Session:
        """Begins a session.

        Args:
            query: the settings of a link, by name, as texts: `domain`, `seed`, `psi`; what is left out has its default.

        Returns:
            The session; a setting that cannot be is a problem in its part "style".
        """
        session = Session(domain=self._model.domains[0])
        try:
            domain = query.get("domain", session.domain)
            if domain not in self._model.domains:
                known = ", ".join(self._model.domains)
                raise UserError(f"the link asks for domain {domain!r}; the model knows {known}")
            session = replace(session, domain_is_chosen="domain" in query)
            return _with_settings(session, domain, _number(query.get("seed", "0")), _number(query.get("psi", "1")))
        except UserError as error:
            return session.failed("style", sentence(error))

    def choose_source(self, session: Session, path: str | None) -> Session:
        """Takes another source and draws it."""
        if path is not None and session.source is not None and path == session.source.shown:
            return session  # the page shows what was read
        others = {part: problem for part, problem in session.problems.items() if part != "source"}
        empty = replace(
            session, source=None, drawn=(), shown=None, position=None, animation=None, problems=others
        ).solved()
        if path is None:
            return empty
        try:
            source = self._read(path, session.domain)
        except Exception as error:
            return empty.failed("source", sentence(error))
        return self._draw_anew(
            replace(session, source=source, problems=others, domain=self._shown_first(session, source)).solved()
        )

    def _shown_first(self, session: Session, source: Chosen) -> str:
        """Until the user chooses a domain, one that the name of the source does not begin with."""
        domains = [domain for domain in self._model.domains if not source.name.startswith(domain)]
        return session.domain if session.domain_is_chosen or session.domain in domains or not domains else domains[0]

    def choose_reference(self, session: Session, path: str | None) -> Session:
        """Takes another reference and shows the source in its style."""
        if path is not None and session.reference is not None and path == session.reference.shown:
            return session
        others = {part: problem for part, problem in session.problems.items() if part != "reference"}
        without = replace(session, reference=None, problems=others).solved()
        if path is None:
            return self._draw_anew(without) if session.drawn else without
        try:
            reference = self._read(path, session.domain)
        except Exception as error:
            drawn = self._draw_anew(without) if session.drawn else without
            return drawn.failed("reference", sentence(error))
        chosen = replace(without, reference=reference, all_domains=False)
        if session.source is None:
            missing = "Choose a source image too; it is then drawn in the style of this reference."
            return chosen.failed("reference", missing)
        return self._draw_anew(replace(chosen, shown=None, position=None))

    def draw(self, session: Session) -> Session:
        """Draws the source as the session says; what was shown before stays so, if it still is there."""
        if session.source is None:
            raise UserError("choose a source image first; it is what gets translated")
        domains = self._model.domains if session.all_domains else (session.domain,)
        drawn = [style for domain in domains for style in self._styles(session, domain)]
        chosen = [end for end in session.marked if end is not None]
        images = iter(self._translate_styles(session, np.stack([end.code for end in chosen])) if chosen else ())
        start, end = (end and replace(end, image=self._marked(next(images), end.styles)) for end in session.marked)
        shown = session.shown and next(
            (style for style in drawn if (style.name, style.domain) == (session.shown.name, session.shown.domain)),
            next((style for style in drawn if style.name == session.shown.name), None),
        )
        session = replace(session, drawn=tuple(drawn), shown=shown or drawn[0], marked=(start, end), animation=None)
        return session.solved() if session.position is None else self.mix(session, session.position)

    def set(self, session: Session, domain: str, seed: float | None, psi: float | None) -> Session:
        """Takes other settings, and draws with them if something is drawn."""
        changed = _with_settings(session, domain, seed, psi)
        if domain != session.domain:
            changed = replace(changed, all_domains=False, domain_is_chosen=True)
        return self.draw(changed) if session.source is not None else changed.solved()

    def draw_next(self, session: Session) -> Session:
        """Draws the styles of the seeds that follow, and shows the first of them."""
        seed = session.first_seed + (self.styles if session.drawn and not session.all_domains else 0)
        return self._draw_seeds(session, session.domain, seed)

    def surprise(self, session: Session) -> Session:
        """Draws styles of a domain by seeds, both taken by chance."""
        return self._draw_seeds(session, secrets.choice(self._model.domains), secrets.randbelow(_MAX_SURPRISE))

    def draw_domains(self, session: Session) -> Session:
        """Draws one style of every domain, by the first seed, and shows that of the chosen domain."""
        drawn = self.draw(replace(session, all_domains=True, shown=None, position=None))
        return replace(drawn, shown=next(style for style in drawn.drawn if style.domain == session.domain))

    def select(self, session: Session, index: int) -> Session:
        """Shows one of the drawn styles large; its domain is the chosen one then."""
        if not 0 <= index < len(session.drawn):  # the page was quicker than the model
            return session
        shown = session.drawn[index]
        return replace(session, shown=shown, domain=shown.domain, position=None).solved()

    def mix(self, session: Session, position: float | None) -> Session:
        """Shows the source in a style between A (0) and B (1)."""
        if session.source is None or not session.drawn:
            raise UserError("choose a source image first; then there are styles to go between")
        if position is None or not 0 <= position <= 1:
            raise UserError(f"the position is {_entered(position)}; it must be between 0 (style A) and 1 (style B)")
        start, end = session.ends
        code = (1 - position) * start.code + position * end.code
        (image,) = self._translate_styles(session, code[None])
        shares = f"{1 - position:.0%} A ({start.label}) + {position:.0%} B ({end.label})"
        domain = start.domain if position < 0.5 else end.domain
        styles = _mixed(start, end, position)
        shown = Drawn(shares, domain, code, self._marked(image, styles), styles)
        return replace(session, shown=shown, position=position).solved()

    def mark(self, session: Session, which: int) -> Session:
        """Makes the style that is shown the style A (0) or B (1); the other one stays what it is."""
        shown = session.shown
        if shown is None:
            raise UserError("choose a source image first; then there are styles to go between")
        if session.position is not None:
            shown = replace(shown, name="a mixture")  # of A and B as they were, which may not be there any more
        other = session.ends[1 - which]
        kept = None if other.label == shown.label else other
        marked = (shown, kept) if which == 0 else (kept, shown)
        return replace(session, marked=marked, animation=None).solved()

    def animate(self, session: Session, path: Path) -> Session:
        """Writes an animation of the source from style A to style B and back.

        Args:
            session: what is drawn.
            path: of the file, which must end in .webp.
        """
        if session.source is None or not session.drawn:
            raise UserError("choose a source image first; then there are styles to go between")
        start, end = session.ends
        positions = np.linspace(0, 1, _FRAMES, dtype=np.float32)[:, None]
        codes = (1 - positions) * start.code + positions * end.code
        frames = [np.asarray(decode_image(image)) for image in self._translate_styles(session, codes)]
        metadata = provenance.packet_of_served((*start.styles, *end.styles), self._model.card)
        write_video(frames + frames[-2:0:-1], path, _FRAMES_A_SECOND, metadata=metadata if self._provenance else None)
        return replace(session, animation=str(path)).solved()

    def style_file(self, style: Drawn) -> str:
        """Returns the content of a style file, which `stargan_tf.sample --style` and the client take."""
        origin = {"mixture": style.styles} if style.is_mixture else style.styles[0]
        written = style_file.Style(style.code, style.domain, origin)
        return style_file.text(written, style_file.made_by(self._model.card))

    def warm_up(self) -> None:
        """Asks for one picture in each way, since what is asked for the first time takes seconds longer."""
        height, width = self._image_size
        grey = to_png(Image.new("RGB", (width, height), "grey"))
        (style,) = self._model.translate_latent(grey, self._model.domains[0], [0])
        self._model.translate_references(grey, self._model.domains[0], [grey])
        self._model.translate_styles(grey, style.style[None])
        self._model.encode_styles([grey], self._model.domains[0])

    def _draw_seeds(self, session: Session, domain: str, seed: int) -> Session:
        shown_anew = replace(session, all_domains=False, shown=None, position=None)
        changed = replace(shown_anew, domain=domain, domain_is_chosen=True, first_seed=seed)
        drawn = self.draw(changed)
        # The first seed's, not the reference's: that one did not change.
        return replace(drawn, shown=next(style for style in drawn.drawn if "seed" in style.styles[0]))

    def _styles(self, session: Session, domain: str) -> list[Drawn]:
        """The source in styles of a domain: the reference's and the seeds'; of all domains only the first seed's."""
        assert session.source is not None
        source = session.source.data
        seeds = [session.first_seed + index for index in range(1 if session.all_domains else self.styles)]
        translations = self._model.translate_latent(source, domain, seeds, session.psi)
        drawn = [
            self._drawn(f"seed {seed}", domain, made, {"seed": seed, "psi": session.psi})
            for seed, made in zip(seeds, translations, strict=True)
        ]
        if session.reference is not None and not session.all_domains:
            (made,) = self._model.translate_references(source, domain, [session.reference.data])
            drawn.insert(0, self._drawn("reference", domain, made, {"reference_sha256": session.reference.sha256}))
        return drawn

    def _drawn(self, name: str, domain: str, translation: Translation, origin: dict[str, Any]) -> Drawn:
        styles = (provenance.style(domain, origin, translation.style),)
        return Drawn(name, domain, translation.style, self._marked(translation.image, styles), styles)

    def _marked(self, image: bytes, styles: tuple[provenance.Style, ...]) -> bytes:
        """Says in an image that it is synthetic, if that is wanted; the graph that encoded it cannot."""
        if not self._provenance:
            return image
        return provenance.marked(image, provenance.packet_of_served(styles, self._model.card))

    def _translate_styles(self, session: Session, codes: np.ndarray) -> list[bytes]:
        """Draws the source in style codes [N, style_dim], as many at once as the model takes."""
        assert session.source is not None
        images: list[bytes] = []
        for first in range(0, len(codes), self.styles):
            translations = self._model.translate_styles(session.source.data, codes[first : first + self.styles])
            images += [translation.image for translation in translations]
        return images

    def _draw_anew(self, session: Session) -> Session:
        """Draws what was just chosen; if that fails, at least nothing is shown that belongs to other images."""
        try:
            return self.draw(session)
        except Exception as error:
            return replace(session, drawn=(), shown=None, position=None, animation=None).failed(
                "style", sentence(error)
            )

    def _read(self, path: str, domain: str) -> Chosen:
        """Reads an image; raises UserError if the model cannot take it."""
        name, size = Path(path).name, Path(path).stat().st_size
        if size > _MAX_FILE:
            raise UserError(f"the file {name!r} has {size / 2**20:.0f} MiB; at most {_MAX_FILE // 2**20} MiB are taken")
        try:
            file = Path(path).read_bytes()
            data = self._model.sendable(file)
            # Asked first, since the model refuses huge images before it decodes them.
            self._model.encode_styles([data], domain)
            preview = to_png(read_image(data, self._image_size, self._model.image_config))
            is_shown = Path(path).suffix.lower() in _SHOWN_BY_BROWSERS
            shown = path if is_shown else store(preview, f"{Path(path).stem}.png")
            return Chosen(name, data, hashlib.sha256(file).hexdigest(), preview, shown)
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


def _mixed(start: Drawn, end: Drawn, position: float) -> tuple[provenance.Style, ...]:
    """Tells what a mixture is made of, each with its share."""
    return tuple(
        {**style, "share": round(style.get("share", 1) * share, 4)}
        for mixed, share in ((start, 1 - position), (end, position))
        if share
        for style in mixed.styles
    )


def _with_settings(session: Session, domain: str, seed: float | None, psi: float | None) -> Session:
    """Returns the session with other settings; raises UserError if one of them cannot be."""
    if seed is None or not 0 <= seed <= _MAX_SEED or seed != int(seed):
        raise UserError(f"the first seed is {_entered(seed)}; it must be a whole number from 0 to {_MAX_SEED}")
    if psi is None or not 0 <= psi <= 1:
        raise UserError(f"psi is {_entered(psi)}; it must be between 0 and 1")
    return replace(session, domain=domain, first_seed=int(seed), psi=float(psi))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"the link holds {text!r} where a number must be") from None


def _entered(number: float | None) -> str:
    return "empty" if number is None else f"{number:g}" if isinstance(number, float) else str(number)
