"""Titles of the metrics of known factors, how their values are formatted, and whether higher is better."""

# Named as by `known_factors.evaluate`. Titles are short enough for a table in a terminal.
FACTOR_MEASURES: dict[str, tuple[str, str, bool]] = {
    "domain": ("shape is of the target domain", "{:.1%}", True),
    "worst_domain": ("shape right, worst domain", "{:.1%}", True),
    "place": ("shape moved, median, of the side", "{:.1%}", False),
    "size": ("radius changed, median", "{:.1%}", False),
    "hue": ("hue off the reference, median", "{:.1f} deg", False),
    "texture": ("texture is the reference's", "{:.1%}", True),
    "outline": ("outline is the reference's", "{:.1%}", True),
    "hue_spread": ("hue between two styles, mean", "{:.1f} deg", True),
    "worst_hue_spread": ("hue between styles, worst domain", "{:.1f} deg", True),
    "hue_of_source": ("hue between two sources, mean", "{:.1f} deg", False),
    "hue_coverage": ("hues drawn that occur, least", "{:.1%}", True),
    "cycle": ("cycle off the source, of 255", "{:.1f}", False),
}
