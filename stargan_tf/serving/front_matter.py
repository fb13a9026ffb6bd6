"""The head of a README.md that the Hugging Face Hub reads: YAML between two lines of dashes.

https://huggingface.co/docs/hub/model-cards
https://huggingface.co/docs/hub/repositories-licenses
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

# Names of licences on the Hub that weights and images often have; it takes others as `other` with a name.
_LICENCES = re.compile(
    r"apache-2\.0|mit|bsd-[23]-clause|isc|unlicense|wtfpl|(a|l)?gpl-[23]\.[01]|mpl-2\.0|openrail(\+\+)?|cc0-1\.0|cc"
    r"|cc-by-[234]\.[05]|cc-by-(sa|nd|nc)-[34]\.0|cc-by-nc-(sa|nd)-[34]\.0|cdla-(permissive-[12]\.0|sharing-1\.0)|unknown"
)
NOT_STATED = "not stated"


def head(values: Mapping[str, Any]) -> str:
    """Writes the head of a README.md.

    Args:
        values: that YAML knows.

    Returns:
        Text that ends with a line of dashes.
    """
    return f"---\n{yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)}---\n"


def licence(text: str) -> dict[str, str]:
    """Tells a licence as the Hub does.

    Args:
        text: what --licence says: a name in any spelling ("CC BY 4.0"), or any text.

    Returns:
        `license`, and `license_name` if it is none that the Hub has a name for.
    """
    if text == NOT_STATED:
        return {"license": "unknown"}
    name = re.sub(r"[\s_]+", "-", text.strip().lower())
    if _LICENCES.fullmatch(name):
        return {"license": name}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", name).strip("-") or "other"}


def of_model(card: Mapping[str, Any]) -> str:
    """Returns the head of a model's page, made of its model card."""
    return head(
        {
            **licence(card["licence"]),
            "library_name": "stargan-tf",
            "pipeline_tag": "image-to-image",
            "tags": ["stargan-v2", "gan", "image-to-image", "tensorflow", "arxiv:1912.01865"],
        }
    )
