"""The worst translations of a measurement, by the judge and by silhouette, as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from stargan_tf.data import scaling
from stargan_tf.evaluation.tasks import Task
from stargan_tf.inference.grids import captioned_columns
from stargan_tf.metrics import silhouettes

SHOWN = 8
_BY_JUDGE, _BY_SILHOUETTE = "target", "overlap"


@dataclass(frozen=True)
class Failure:
    """A translation that went wrong.

    Args:
        score: what it is bad in, 0 to 1; low is bad.
        task: from where to where.
        source: which of the measured sources, by position.
        caption: what is wrong.
        images: source, reference if there was one, translation, and how the judge sees the translation; each
            [H, W, 3] uint8.
    """

    score: float
    task: Task
    source: int
    caption: str
    images: list[np.ndarray] = field(repr=False)


class Failures:
    """Collects the worst translations, at most one of each source photograph.

    Args:
        has_silhouettes: whether silhouettes are measured.
    """

    def __init__(self, has_silhouettes: bool):
        measures = (_BY_JUDGE, _BY_SILHOUETTE) if has_silhouettes else (_BY_JUDGE,)
        self.worst: dict[str, list[Failure]] = {measure: [] for measure in measures}

    def add(
        self,
        task: Task,
        sources: np.ndarray,
        outputs: np.ndarray,
        details: Mapping[str, np.ndarray],
        references: np.ndarray | None,
    ) -> None:
        """Adds the translations of a task, of which only the worst are kept.

        Args:
            task: from where to where.
            sources: [N, H, W, 3] uint8.
            outputs: [S, N, H, W, 3] uint8.
            details: as `PhotographMeasures.measure` returns them, with `names` of the domains.
            references: [S, N, H, W, 3] uint8, or None.
        """
        for measure, worst in self.worst.items():
            scores = details[measure]
            of_source = scores.argmin(axis=0)
            for source in scores.min(axis=0).argsort(kind="stable")[:SHOWN]:
                style = of_source[source]
                images = [sources[source], *([] if references is None else [references[style, source]])]
                images.append(outputs[style, source])
                if "silhouettes" in details:
                    images.append(silhouettes.on_grey(images[-1][None], details["silhouettes"][style, source][None])[0])
                taken_for = str(details["names"][details["taken_for"][style, source]])
                caption = _caption(task, measure, float(scores[style, source]), taken_for)
                worst.append(Failure(float(scores[style, source]), task, int(source), caption, images))
            worst.sort(key=lambda failure: failure.score)
            seen: set[tuple[str, int]] = set()
            kept = []
            for failure in worst:
                if (failure.task.source, failure.source) not in seen:
                    seen.add((failure.task.source, failure.source))
                    kept.append(failure)
            worst[:] = kept[:SHOWN]

    def picture(self) -> Image.Image:
        """Draws them: a column by the judge, and one by silhouette."""
        titles = {
            _BY_JUDGE: "worst by the judge: source, reference if any, translation, as the judge sees it",
            _BY_SILHOUETTE: "worst by silhouette: source, reference if any, translation, its silhouette",
        }
        return captioned_columns(
            {
                titles[measure]: [
                    (failure.caption, [scaling.scale(image) for image in failure.images]) for failure in of
                ]
                for measure, of in self.worst.items()
            }
        )


def _caption(task: Task, measure: str, score: float, taken_for: str) -> str:
    what = f"{task.source} to {task.target}, {task.mode}-guided: "
    if measure == _BY_SILHOUETTE:
        return what + f"{score:.0%} of the silhouette kept"
    return what + f"{score:.0%} {task.target}, taken for {taken_for}"
