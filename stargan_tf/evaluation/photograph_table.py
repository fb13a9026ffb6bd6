"""What was measured of translated photographs, as a table in a terminal, and the titles of its measures."""

from collections.abc import Mapping
from typing import Any

COLUMNS = {
    "latent": "latent",
    "reference": "reference",
    "source": "source itself",
    "nearest": "nearest image",
    "real": "real images",
}

# By name: title and format, and whether higher is better; None where it is to be near that of real images.
PHOTOGRAPH_MEASURES: dict[str, tuple[str, str, bool | None]] = {
    "judge": ("taken for the target domain", "{:.1%}", True),
    "worst_judge": ("the same, worst direction", "{:.1%}", True),
    "silhouette": ("silhouette kept (IoU), median", "{:.3f}", True),
    "worst_silhouette": ("the same, worst direction", "{:.3f}", True),
    "diversity_judge": ("diversity, of real pairs, judge", "{:.1%}", True),
    "diversity_autoencoder": ("diversity, autoencoder", "{:.1%}", True),
    "fid_judge": ("FID, judge", "{:.3f}", False),
    "fid_autoencoder": ("FID, autoencoder", "{:.3f}", False),
    "kid_judge": ("KID x1000, judge", "{:.2f}", False),
    "kid_autoencoder": ("KID x1000, autoencoder", "{:.2f}", False),
    "precision_judge": ("precision, judge", "{:.3f}", True),
    "precision_autoencoder": ("precision, autoencoder", "{:.3f}", True),
    "recall_judge": ("recall, judge", "{:.3f}", True),
    "recall_autoencoder": ("recall, autoencoder", "{:.3f}", True),
    "nearest": ("off the nearest training image, of 255", "{:.1f}", None),
    "copies": ("near-duplicates of training images", "{:.1%}", False),
}


def cells(result: Mapping[str, Any], measure: str) -> list[str]:
    """Returns the values of a measure in all columns, formatted; empty where it was not measured."""
    _, form, _ = PHOTOGRAPH_MEASURES[measure]
    factor = 1000 if measure.startswith("kid") else 1
    means = [result[column]["mean"] for column in COLUMNS]
    return [form.format(factor * mean[measure]) if measure in mean else "" for mean in means]


def rows(result: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the cells of each measure that some column has, by name."""
    found = {measure: cells(result, measure) for measure in PHOTOGRAPH_MEASURES}
    return {measure: of_measure for measure, of_measure in found.items() if any(of_measure)}


def facts(result: Mapping[str, Any]) -> list[str]:
    """Returns what the numbers rest on, a sentence a line."""
    judge, left_out, plain = result["judge"], result["set"]["left_out"], result["plain_ground"]
    lines = [
        f"{result['set']['sources']} validation images of each domain, in {result['settings']['styles']} styles each"
    ]
    lines.append(
        "left out, since training has a near-duplicate: "
        + ", ".join(f"{count} of {domain}" for domain, count in left_out.items())
    )
    lines.append(f"the judge {judge['hash']} recognizes of these images {_shares(judge['accuracy'])}")
    if plain["used"]:
        lines.append(f"it sees the object on grey; by the ground alone it would be {_shares(judge['ground_accuracy'])}")
    else:
        lines.append(
            f"{plain['share']:.0%} of the images have a plain ground: no silhouettes; the judge sees the ground as "
            "well, and may judge by it"
        )
    return lines


def table(result: Mapping[str, Any]) -> str:
    """Returns the facts, a table of all measures, and one of the shares and silhouettes by direction."""
    width = max(len(title) for title, _, _ in PHOTOGRAPH_MEASURES.values())
    lines = [f"photographs, step {result['step']}", *facts(result), ""]
    lines.append(f"{'':{width}}" + "".join(f"{title:>15}" for title in COLUMNS.values()))
    for measure, of_measure in rows(result).items():
        lines.append(f"{PHOTOGRAPH_MEASURES[measure][0]:{width}}" + "".join(f"{cell:>15}" for cell in of_measure))
    for measure in ("judge", "silhouette"):
        if measure not in result["latent"]["mean"]:
            continue
        title, form, _ = PHOTOGRAPH_MEASURES[measure]
        lines += ["", f"{title}, by direction"]
        names = list(result["latent"]["tasks"])
        width = max(width, *map(len, names))
        for name in names:
            of_task = [form.format(result[column]["tasks"][name][measure]) for column in COLUMNS]
            lines.append(f"{name:{width}}" + "".join(f"{cell:>15}" for cell in of_task))
    return "\n".join(lines)


def _shares(of_domains: Mapping[str, float]) -> str:
    mean = sum(of_domains.values()) / len(of_domains)
    return f"{mean:.1%} (" + ", ".join(f"{domain} {share:.1%}" for domain, share in of_domains.items()) + ")"
